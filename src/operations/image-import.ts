import * as z from 'zod';
import { basename } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { formatSize, hostPath, parseName } from '../base/types.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image import',
  summary: 'Take a disk that something else has made, or a template of a target, into the store',
  description:
    'Reads qcow2, VMDK (in one file), VHD, VHDX, OVA and raw disks, packed or not (gz, xz, zst, bz2); and with --release the root file system of a release as a tar archive, which gets a disk, a kernel and a boot loader. The file is input that nobody vouches for: its headers are checked before any other program sees it, nothing that it names is opened or fetched, it is copied by a confined program, and its file systems are opened in the helper VM alone, here and by whatever is built on it. Its system must be a release of the catalog. With --from, it is the disk of a template of CloudStack, which is downloaded first, and goes on where that was cut. The image has the tags latest and `file-` with the beginning of the SHA-256 of the file.',
  kind: 'job',
  input: z.strictObject({
    file: clientFile.optional().meta({ positional: true, clientFile: true }).describe('The disk'),
    from: z
      .string()
      .min(1)
      .optional()
      .describe('Take a template of this target, PLATFORM:NAME, instead of a file')
      .meta({ placeholder: 'TARGET', complete: 'target' }),
    template: z.string().min(1).optional().describe('With --from, the name of the template, or its identifier'),
    place: z.string().min(1).optional().describe('With --from, the zone that gives it out; default: the first that has it').meta({ placeholder: 'ZONE' }),
    name: z.string().optional().describe("The image's name; default: that of the file or the template"),
    release: z.string().optional().describe('The release whose root file system a tar archive is').meta({ complete: 'release' }),
    offline: z.boolean().default(false).describe('Use no network: the helper VM is made of what has been downloaded before'),
    force: z.boolean().default(false).describe('Move the tag latest from another image that has it'),
  }),
  output: z.strictObject({ reference: z.string(), digest: z.string(), release: z.string(), size: z.int(), stored: z.int() }),
  examples: [
    { command: 'ingot image import appliance.ova --name appliance', does: 'the disk of a package, whose sums are checked' },
    { command: 'ingot image import root.tar.zst --release debian-12', does: 'a root file system: a disk is made of it that starts' },
    { command: 'ingot image import --from cloudstack:prod --template web-golden --name web', does: 'a template that was made of an instance' },
    { command: 'ingot image import ~/old/web.vhdx && ingot vm create web --image web', does: 'a disk of Hyper-V, run in the lab' },
  ],
  async run(input, context) {
    if (input.from !== undefined) {
      const { importTemplate } = await import('./import-template.ts');
      return await importTemplate(context, templateWish(input, input.from));
    }
    const { file } = input;
    if (file === undefined || input.template !== undefined || input.place !== undefined) {
      throw new IngotError(
        'usage',
        'source-missing',
        file === undefined ? 'Nothing is named that could be imported' : '--template and --place are of a target, and none is named',
        {
          hint: 'Name a file, or a target and its template: --from cloudstack:prod --template NAME.',
        },
      );
    }
    const tree = treeName(file);
    if (tree !== undefined || input.release !== undefined) {
      if (input.release === undefined) {
        throw new IngotError('usage', 'release-needed', `${file} is an archive, and nothing says of which release it is the root`, {
          hint: 'Say so with --release debian-12, for example. A disk in an archive is unpacked first.',
        });
      }
      const { importTree } = await import('./import-tree.ts');
      const name = parseName(input.name ?? tree ?? 'root', 'an image');
      return await importTree(context, { ...input, name, file: hostPath(file), release: input.release });
    }
    const { importDisk } = await import('../build/import-disk.ts');
    return await importDisk(context, hostPath(file), input);
  },
  render: ({ reference, digest, release, size, stored }) =>
    `${reference}  ${digest}\n${release}, a disk of ${formatSize(size)}, ${formatSize(stored)} in the store`,
});

interface TemplateFlags {
  readonly file?: string | undefined;
  readonly template?: string | undefined;
  readonly place?: string | undefined;
  readonly release?: string | undefined;
  readonly name?: string | undefined;
  readonly offline: boolean;
  readonly force: boolean;
}

/** Throws `template-missing`, `source-twice`. */
function templateWish({ file, template, place, release, name, offline, force }: TemplateFlags, from: string) {
  if (template === undefined) throw new IngotError('usage', 'template-missing', `Which template of ${from} is not said`, { hint: 'Name it with --template.' });
  const foreign = [...(file === undefined ? [] : ['a file']), ...(release === undefined ? [] : ['--release']), ...(offline ? ['--offline'] : [])];
  if (foreign.length > 0)
    throw new IngotError('usage', 'source-twice', `--from is given, and ${foreign.join(' and ')} with it`, {
      hint: 'A template comes over the network, as a disk; leave the other away.',
    });
  return { from, template, place, name, force };
}

/** The name that the archive of a root file system gives its image; undefined for what is none by its own name. */
function treeName(file: string): string | undefined {
  const stem = /^(.+?)(?:\.tar(?:\.(?:gz|xz|zst|bz2))?|\.tgz|\.txz)$/i.exec(basename(file))?.[1];
  return stem
    ?.toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}
