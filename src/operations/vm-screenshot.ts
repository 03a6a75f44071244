import * as z from 'zod';
import { hostPath, parseName } from '../base/types.ts';
import { takeScreenshot } from '../platforms/local/screenshot.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm screenshot',
  summary: "Write a picture of a virtual machine's screen",
  description:
    'What its graphics card shows, as PNG: the boot loader, a kernel that stopped, a desktop. The file appears when it is whole. The serial console is shown by vm logs.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    file: clientFile.describe('The PNG file to write').meta({ positional: true, clientFile: true }),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.object({ name: z.string(), file: z.string(), width: z.int(), height: z.int() }),
  examples: [{ command: 'ingot vm screenshot web screen.png', does: 'writes what the screen of the VM web shows' }],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    const file = hostPath(input.file);
    return { name, file, ...(await takeScreenshot(context, name, file, { force: input.force })) };
  },
  render: ({ file, width, height }) => `${file}: ${width} x ${height} pixels`,
});
