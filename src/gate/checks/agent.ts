import type { GateCheck } from '../check.ts';

export const agent: GateCheck = {
  name: 'agent',
  holds: 'The guest agent runs.',
  where: 'guest',
  script: `systemctl is-active --quiet qemu-guest-agent || echo "qemu-guest-agent does not run"`,
};
