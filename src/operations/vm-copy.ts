import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { hostPath, parseName } from '../base/types.ts';
import { copyFiles, type Copy } from '../platforms/local/copy.ts';
import { clientFileOrGuestPath, splitGuestPath } from './client-file.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm copy',
  summary: 'Copy files into a virtual machine or out of it',
  description:
    'One of the two is VM:PATH, the other a path here; a file here whose name has a colon is written ./a:b. Folders are copied with all that is in them, and modes and times stay. A target that is a folder is copied into. A relative path in the VM begins in the home of its user. Waits until one can log in.',
  kind: 'job',
  input: z.object({
    source: clientFileOrGuestPath.describe('What to copy: a path here, or VM:PATH').meta({ positional: true }),
    target: clientFileOrGuestPath.describe('Where to: a path here, or VM:PATH').meta({ positional: true }),
    on: onInput,
    timeout: waitSecondsInput,
  }),
  output: z.object({ vm: z.string(), direction: z.enum(['in', 'out']), source: z.string(), target: z.string() }),
  examples: [
    { command: 'ingot vm copy ./site web:/var/www', does: 'copies the folder site into the folder /var/www of the VM web' },
    { command: 'ingot vm copy web:/etc/hosts ./web-hosts', does: 'copies a file out of it' },
    { command: 'ingot vm copy ./a:b web:', does: 'copies the file "a:b" to the home of its user' },
  ],
  async run(input, context) {
    const copy = copyOf(input.source, input.target);
    const { on, timeout } = input;
    const reach = isRemote(on) ? async () => (await (await import('./vm-on.ts')).reach(context, on, copy.vm, timeout)).spec.ssh : undefined;
    await copyFiles(context, copy, { ...(timeout === undefined ? {} : { limit: timeout }), ...(reach === undefined ? {} : { reach }) });
    return { vm: copy.vm, direction: copy.direction, source: input.source, target: input.target };
  },
  render: ({ source, target }) => `${source} is copied to ${target}.`,
});

/** Which of the two is in a VM; throws `copy-places` where it is not just one. */
function copyOf(source: string, target: string): Copy {
  const [from, to] = [splitGuestPath(source), splitGuestPath(target)];
  const halves = from ?? to;
  if (halves === undefined || (from !== undefined && to !== undefined)) {
    throw new IngotError('usage', 'copy-places', `Both ${source} and ${target} are ${halves === undefined ? 'here' : 'in VMs'}`, {
      hint:
        halves === undefined
          ? 'A path in a VM is written VM:PATH, such as web:/etc/hosts.'
          : 'Copy to a file here first. A file here whose name has a colon is written ./a:b.',
    });
  }
  const direction = from === undefined ? 'in' : 'out';
  return { direction, vm: parseName(halves.vm, 'a VM'), guestPath: halves.path, path: hostPath(direction === 'in' ? source : target) };
}
