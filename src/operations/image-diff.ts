import * as z from 'zod';
import { ASPECTS, compareFolders, type FileChange, type FileEntry } from '../diff/files.ts';
import { compareConfigs, compareLayers, comparePackages } from '../diff/images.ts';
import { openStore } from '../store/store.ts';
import { renderDifference } from './image-diff-text.ts';
import { defineOperation } from './operation.ts';

const side = z.strictObject({ references: z.array(z.string()), digest: z.string() });
const fileSchema = z.strictObject({ type: z.string(), mode: z.string(), owner: z.string(), size: z.int(), target: z.string().optional() });

const output = z.strictObject({
  before: side,
  after: side,
  layers: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.string().optional(),
      key: z.string(),
      in: z.enum(['both', 'before', 'after']),
      /** Both have the layer of this key, made twice with other bytes. */
      madeAnew: z.boolean(),
      size: z.int(),
    }),
  ),
  config: z.array(z.strictObject({ path: z.string(), before: z.string().optional(), after: z.string().optional() })),
  packages: z.array(z.strictObject({ name: z.string(), arch: z.string(), before: z.string().optional(), after: z.string().optional() })),
  /** With --files. */
  files: z
    .array(
      z.strictObject({
        path: z.string(),
        change: z.enum(['added', 'removed', 'changed']),
        aspects: z.array(z.enum(ASPECTS)),
        before: fileSchema.optional(),
        after: fileSchema.optional(),
      }),
    )
    .optional(),
  /** With --files: bytes by folder, the largest differences first. */
  folders: z.array(z.strictObject({ folder: z.string(), before: z.int(), after: z.int() })).optional(),
});
export type DiffOutput = z.output<typeof output>;

export default defineOperation({
  name: 'image diff',
  summary: 'Show how two images differ: layers, config, packages, and their files',
  description:
    'Without --files no disk is opened. With it, both disks are opened on throw-away copies, and every file is compared by type, content, mode, owner and link target; times are no difference, and /dev, /proc, /run, /sys and /tmp are left out. Long lists are cut short for people and whole with --json.',
  kind: 'job',
  input: z.strictObject({
    before: z.string().meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
    after: z.string().meta({ positional: true, complete: 'image', placeholder: 'OTHER' }).describe('What it is compared with'),
    files: z.boolean().default(false).describe('Compare the files too'),
    depth: z.int().positive().max(20).default(2).meta({ placeholder: 'N' }).describe('How many folders deep sizes are added up'),
    workspace: z.enum(['host', 'vm']).optional().describe('Where disks are opened; default: this host where it can, else the helper VM'),
  }),
  output,
  examples: [
    { command: 'ingot image diff web:1.4 web', does: 'what a new version brings' },
    { command: 'ingot image diff debian-12 debian-12-docker --files', does: 'which files a role adds, and how much they take' },
  ],
  async run(input, context) {
    const store = openStore(context.host, context.home);
    const [before, after] = [await store.resolve(input.before), await store.resolve(input.after)];
    const [old, young] = [before.config['dev.ingot.image'], after.config['dev.ingot.image']];
    const answer: DiffOutput = {
      before: { references: [...before.references], digest: before.digest },
      after: { references: [...after.references], digest: after.digest },
      layers: compareLayers(before, after),
      config: compareConfigs(before.config, after.config),
      packages: comparePackages(old, young),
    };
    if (!input.files) return answer;
    const { compareDisks } = await import('../diff/disks.ts');
    const disks = await compareDisks(context, before, after, input.workspace ?? placeOf(context.settings.workspace));
    return { ...answer, files: disks.changes.map(fileChange), folders: compareFolders(disks.before, disks.after, input.depth) };
  },
  render: renderDifference,
});

function placeOf(setting: string | undefined): 'host' | 'vm' | undefined {
  return setting === 'host' || setting === 'vm' ? setting : undefined;
}

function fileChange({ path, change, aspects, before, after }: FileChange): NonNullable<DiffOutput['files']>[number] {
  return {
    path: `/${path}`,
    change,
    aspects: [...aspects],
    ...(before === undefined ? {} : { before: fileOf(before) }),
    ...(after === undefined ? {} : { after: fileOf(after) }),
  };
}

function fileOf({ type, mode, owner, size, target }: FileEntry): z.output<typeof fileSchema> {
  return { type, mode, owner, size, ...(type === 'l' ? { target } : {}) };
}
