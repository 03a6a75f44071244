import * as z from 'zod';
import { basename } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { formatSize, hostPath, parseName } from '../base/types.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image import',
  summary: 'Take a disk that something else has made into the store',
  description:
    'Reads qcow2, VMDK (in one file), VHD, VHDX, OVA and raw disks, packed or not (gz, xz, zst, bz2); and with --release the root file system of a release as a tar archive, which gets a disk, a kernel and a boot loader. The file is input that nobody vouches for: its headers are checked before any other program sees it, nothing that it names is opened or fetched, it is copied by a confined program, and its file systems are opened in the helper VM alone, here and by whatever is built on it. Its system must be a release of the catalog. The image has the tags latest and `file-` with the beginning of the SHA-256 of the file.',
  kind: 'job',
  input: z.strictObject({
    file: clientFile.meta({ positional: true, clientFile: true }).describe('The disk'),
    name: z.string().optional().describe("The image's name; default: the file's name"),
    release: z.string().optional().describe('The release whose root file system a tar archive is').meta({ complete: 'release' }),
    offline: z.boolean().default(false).describe('Use no network: the helper VM is made of what has been downloaded before'),
    force: z.boolean().default(false).describe('Move the tag latest from another image that has it'),
  }),
  output: z.strictObject({ reference: z.string(), digest: z.string(), release: z.string(), size: z.int(), stored: z.int() }),
  examples: [
    { command: 'ingot image import appliance.ova --name appliance', does: 'the disk of a package, whose sums are checked' },
    { command: 'ingot image import root.tar.zst --release debian-12', does: 'a root file system: a disk is made of it that starts' },
    { command: 'ingot image import ~/old/web.vhdx && ingot vm create web --image web', does: 'a disk of Hyper-V, run in the lab' },
  ],
  async run(input, context) {
    const tree = treeName(input.file);
    if (tree !== undefined || input.release !== undefined) {
      if (input.release === undefined) {
        throw new IngotError('usage', 'release-needed', `${input.file} is an archive, and nothing says of which release it is the root`, {
          hint: 'Say so with --release debian-12, for example. A disk in an archive is unpacked first.',
        });
      }
      const { importTree } = await import('./import-tree.ts');
      const name = parseName(input.name ?? tree ?? 'root', 'an image');
      return await importTree(context, { ...input, name, file: hostPath(input.file), release: input.release });
    }
    const { importDisk } = await import('../build/import-disk.ts');
    return await importDisk(context, hostPath(input.file), input);
  },
  render: ({ reference, digest, release, size, stored }) =>
    `${reference}  ${digest}\n${release}, a disk of ${formatSize(size)}, ${formatSize(stored)} in the store`,
});

/** The name that the archive of a root file system gives its image; undefined for what is none by its own name. */
function treeName(file: string): string | undefined {
  const stem = /^(.+?)(?:\.tar(?:\.(?:gz|xz|zst|bz2))?|\.tgz|\.txz)$/i.exec(basename(file))?.[1];
  return stem
    ?.toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}
