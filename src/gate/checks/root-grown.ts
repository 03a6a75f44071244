import type { GateCheck } from '../check.ts';

export const rootGrown: GateCheck = {
  name: 'root-grown',
  holds: "The root file system has grown to the disk's size.",
  where: 'guest',
  script: `
size=$(df --block-size=1 --output=size / | tail -n 1)
[ "$size" -ge "$INGOT_ROOT_AT_LEAST" ] || echo "the root file system has $size bytes; at least $INGOT_ROOT_AT_LEAST were expected of this disk"
`,
};
