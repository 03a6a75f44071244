import { join } from 'node:path';
import { IngotError } from '../../../base/errors.ts';
import { hostPath, type HostPath } from '../../../base/types.ts';
import type { Request } from '../../../build/prepare.ts';
import { exportImage } from '../../../disk/export.ts';
import { chooseFormat } from '../../../disk/formats/table.ts';
import type { Context } from '../../../operations/operation.ts';
import { makeAccount } from './account.ts';
import { BUILDER_NAMES, BUILDERS, type BuilderName } from './builders/builders.ts';
import { checkFolder, writeFolder } from './folder.ts';
import { makeProject, type ProjectFormat } from './make-project.ts';
import { secretsOf } from './pieces.ts';
import type { Origin, ProjectFile } from './project.ts';
import { readOrigin, type FoundOrigin } from './read-origin.ts';

export interface ExportOptions {
  /** Default: all that fit. */
  readonly builders: readonly BuilderName[];
  readonly format: ProjectFormat;
  /** An image of the store whose disk the project starts from. */
  readonly fromImage?: string;
  readonly force: boolean;
  readonly offline: boolean;
}

export interface Exported {
  readonly folder: HostPath;
  readonly name: string;
  readonly release: string;
  readonly builders: readonly BuilderName[];
  readonly files: readonly string[];
  readonly notCarried: readonly string[];
}

/**
 * Writes a template as a project of Packer. `folder` gets the image's name. Throws `packer-builder-unfit`, `packer-folder-foreign`, `packer-folder-exists`,
 * and what {@link readOrigin} and {@link makeProject} throw.
 */
export async function exportProject(context: Context, request: Request, options: ExportOptions, folderFor: (name: string) => HostPath): Promise<Exported> {
  const { host, home } = context;
  const found = await readOrigin(context, request, options);
  const builders = chosenBuilders(options.builders, found);
  const folder = folderFor(found.template.name);
  await checkFolder(host, folder, options.force);
  const account = await makeAccount(host, home);
  const { template, release } = found;
  let made: ReturnType<typeof makeProject> | undefined;
  // What is wrong with the template is told before a disk is written.
  if (found.from === undefined) made = makeProject(found, { ...options, builders, account });
  await writeFolder(
    host,
    home,
    folder,
    {
      manifest: {
        name: template.name,
        release: release.id,
        builders: [...builders],
        secrets: secretsOf(found),
      },
      force: options.force,
    },
    async (part) => {
      const disk = found.from === undefined ? undefined : await writeDisk(context, found.from, part);
      made ??= makeProject(disk === undefined ? found : { ...found, image: disk.image }, {
        ...options,
        builders,
        account,
      });
      return [...made.files, ...(disk === undefined ? [] : [disk.file])];
    },
  );
  if (made === undefined) throw new IngotError('internal', 'internal', 'a project was written without being made');
  return {
    folder,
    name: template.name,
    release: release.id,
    builders,
    files: made.files.map(({ path }) => path),
    notCarried: made.notCarried,
  };
}

/** Throws `packer-builder-unfit` for a builder that cannot start from an image of ingot's. */
function chosenBuilders(wanted: readonly BuilderName[], { from }: FoundOrigin): BuilderName[] {
  if (from === undefined) return wanted.length === 0 ? [...BUILDER_NAMES] : BUILDER_NAMES.filter((name) => wanted.includes(name));
  const unfit = wanted.find((name) => name !== 'qemu' && BUILDERS[name].installs);
  if (unfit !== undefined) {
    throw new IngotError(
      'usage',
      'packer-builder-unfit',
      `The builder ${unfit} installs from a medium, and the project starts from the disk of ${from.reference}`,
      {
        hint: 'The builder qemu starts from a disk; proxmox-clone and cloudstack start from what was published there.',
      },
    );
  }
  return wanted.length === 0 ? ['qemu'] : BUILDER_NAMES.filter((name) => wanted.includes(name));
}

/** The image's disk, in the project. */
async function writeDisk(
  context: Context,
  { reference, image }: NonNullable<FoundOrigin['from']>,
  folder: HostPath,
): Promise<{ readonly image: NonNullable<Origin['image']>; readonly file: ProjectFile }> {
  const { files } = context.host;
  const path = `disk/${reference.replaceAll(/[:@/].*$/g, '')}.qcow2`;
  const out = hostPath(join(folder, path));
  await files.makeDirectory(join(folder, 'disk'));
  await context.events.stage(`disk of ${reference}`, (span) =>
    exportImage(context, image, out, {
      format: chooseFormat(out, 'qcow2', {}),
      force: true,
      onProgress: (percent, what) => span.progress(percent, 100, 'items', what ?? '%'),
    }),
  );
  const { hex } = await files.sha256(out);
  return {
    image: { reference, url: path, checksum: `sha256:${hex}` },
    file: { path, mode: 0o644, source: out, sha256: hex },
  };
}
