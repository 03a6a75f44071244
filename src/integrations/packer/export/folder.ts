import { dirname, join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../../base/files.ts';
import type { Home } from '../../../base/home.ts';
import type { Host } from '../../../base/host.ts';
import { writeOutFile } from '../../../base/out-file.ts';
import { hostPath, type HostPath } from '../../../base/types.ts';
import { BUILDER_NAMES } from './builders/builders.ts';
import type { ProjectFile } from './project.ts';

/** The file that says that a folder is a project of ingot's, and which of its files are. */
export const MANIFEST = 'ingot-packer.json';

const manifestSchema = z.object({
  v: z.literal(1),
  /** Of the template. */
  name: z.string(),
  release: z.string(),
  builders: z.array(z.enum(BUILDER_NAMES)),
  /** Secrets of ingot's whose values it is given, by their names. */
  secrets: z.array(z.string()),
  /** Paths that ingot has written, and would write again. */
  files: z.array(z.string()),
});
export type ProjectManifest = z.output<typeof manifestSchema>;

/** What the folder says of itself; undefined for one that is not an export. */
export async function readManifest(host: Pick<Host, 'files'>, folder: string): Promise<ProjectManifest | undefined> {
  const text = await readTextIfThere(host.files, join(folder, MANIFEST));
  if (text === undefined) return undefined;
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export interface FolderOptions {
  readonly manifest: Omit<ProjectManifest, 'v' | 'files'>;
  /** Replace the files of an earlier export. */
  readonly force: boolean;
}

/**
 * Throws `packer-folder-foreign` for a folder with files that is no export of ingot's, and `packer-folder-exists` for one that is, without `force`. To be
 * asked before long work.
 */
export async function checkFolder(host: Pick<Host, 'files'>, folder: HostPath, force: boolean): Promise<void> {
  const status = await host.files.status(folder);
  if (status === undefined) return;
  if (status.kind !== 'directory') throw new IngotError('conflict', 'packer-folder-foreign', `${folder} is not a folder`, { hint: 'Give another --output.' });
  if ((await host.files.list(folder)).length === 0) return;
  if ((await readManifest(host, folder)) === undefined) {
    throw new IngotError('conflict', 'packer-folder-foreign', `${folder} holds files, and is no project that ingot has exported`, {
      hint: 'Nothing in it is touched, not even with --force. Give another --output.',
    });
  }
  if (!force) {
    throw new IngotError('conflict', 'packer-folder-exists', `${folder} is there already, from an earlier export`, {
      hint: 'With --force its own files are written again, also those that you have changed; files that you have added stay.',
    });
  }
}

/**
 * Makes the folder: a new one appears when it is whole. In one that is there, the files of the earlier export are replaced or removed, others stay.
 * `write` gets the folder that it may write into first, and returns the files.
 */
export async function writeFolder(
  host: Host,
  home: Home,
  folder: HostPath,
  { manifest, force }: FolderOptions,
  files: (part: HostPath) => Promise<readonly ProjectFile[]>,
): Promise<void> {
  await checkFolder(host, folder, force);
  const text = (paths: readonly string[]): string => `${JSON.stringify({ v: 1, ...manifest, files: [...new Set(paths)].toSorted() }, undefined, 2)}\n`;
  if ((await host.files.status(folder)) === undefined) {
    await writeOutFile(host, home, folder, { force: false, what: `writing ${folder}` }, async (part) => {
      await host.files.makeDirectory(part);
      const made = await files(hostPath(part));
      for (const file of made) await writeFile(host, part, file);
      await host.files.write(join(part, MANIFEST), text(made.map(({ path }) => path)));
    });
    return;
  }
  const before = (await readManifest(host, folder))?.files ?? [];
  const made = await files(folder);
  for (const { path } of made) {
    if (!before.includes(path) && (await host.files.status(join(folder, path))) !== undefined && !path.startsWith('disk/')) {
      throw new IngotError('conflict', 'packer-file-foreign', `${join(folder, path)} is yours, and the project has a file of that name`, {
        hint: 'Move it away, or give another --output.',
      });
    }
  }
  const paths = made.map(({ path }) => path);
  // A killed export leaves a list with all that it may have written.
  await replaceFile(host.files, join(folder, MANIFEST), text([...before, ...paths]));
  for (const file of made) await writeFile(host, folder, file);
  for (const path of before) if (!paths.includes(path) && isInside(path)) await host.files.remove(join(folder, path));
  await replaceFile(host.files, join(folder, MANIFEST), text(paths));
}

/** A list that somebody changed must not lead out of its folder. */
function isInside(path: string): boolean {
  return !path.startsWith('/') && !path.split('/').includes('..') && path !== '';
}

async function writeFile({ files }: Pick<Host, 'files'>, folder: string, file: ProjectFile): Promise<void> {
  const path = join(folder, file.path);
  if ('source' in file && file.source === path) return; // written there already
  await files.makeDirectory(dirname(path));
  if ('content' in file) {
    await replaceFile(files, path, file.content, file.mode);
    return;
  }
  await files.remove(path);
  await files.copy(file.source, path);
  const { hex } = await files.sha256(path);
  if (hex !== file.sha256)
    throw new IngotError('conflict', 'input-changed', `${file.source} changed after it was read`, { hint: 'Run the same command again.' });
  await files.setMode(path, file.mode);
}
