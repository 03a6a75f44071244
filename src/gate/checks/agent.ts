import type { GateCheck } from '../check.ts';

export const agent: GateCheck = {
  name: 'agent',
  holds: 'The guest agent runs.',
  where: 'guest',
  script: `
if [ -d /run/systemd/system ]; then systemctl is-active --quiet qemu-guest-agent; else rc-service --quiet qemu-guest-agent status; fi ||
  echo "qemu-guest-agent does not run"
`,
};
