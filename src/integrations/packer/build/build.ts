import { basename, join, resolve } from 'node:path';
import { IngotError } from '../../../base/errors.ts';
import { makeScratch } from '../../../base/scratch.ts';
import { openSecrets } from '../../../base/secrets.ts';
import { hostPath, parseName, type HostPath } from '../../../base/types.ts';
import { checkLatest } from '../../../build/import-tag.ts';
import { importDisk, type ImportedDisk } from '../../../build/import-disk.ts';
import type { Request } from '../../../build/prepare.ts';
import type { Context } from '../../../operations/operation.ts';
import { accelerator } from '../../../platforms/local/accelerator.ts';
import { openStore } from '../../../store/store.ts';
import { exportProject } from '../export/export.ts';
import { readManifest } from '../export/folder.ts';
import { sourceName } from '../export/project.ts';
import { secretName } from '../export/script.ts';
import { copyFolder } from './copy-folder.ts';
import { findPacker } from './find-packer.ts';
import { runPacker, type PackerArtifact } from './run-packer.ts';

export interface BuildOptions {
  /** Of the image; default: the template's, else the folder's. */
  readonly name?: string | undefined;
  /** Default: the builder qemu alone, where the project is ingot's. */
  readonly only: readonly string[];
  readonly variables: readonly string[];
  readonly fromImage?: string | undefined;
  readonly offline: boolean;
  readonly force: boolean;
}

/** What is built: a folder with a project, or a template that is exported first. */
export type BuildSource = { readonly kind: 'folder'; readonly folder: HostPath } | { readonly kind: 'template'; readonly request: Request };

/**
 * Runs Packer on a copy of a project, and takes the disk that it makes into the store. Nothing of it is left, however it ends. Throws `packer-missing`,
 * `packer-folder-unfit`, `packer-failed`, `packer-no-build`, `packer-no-disk`, `tag-exists`, and what exporting and importing throw.
 */
export async function buildWithPacker(context: Context, source: BuildSource, options: BuildOptions): Promise<ImportedDisk> {
  const { host, home, events } = context;
  await findPacker(host);
  if (source.kind === 'folder') await checkProject(context, source.folder);
  await using scratch = await makeScratch(host, home, 'a build by Packer');
  const folder = hostPath(join(scratch.path, 'project'));
  if (source.kind === 'folder') await copyFolder(host.files, source.folder, folder);
  else {
    const { fromImage, force: _force, ...rest } = options;
    const wanted = {
      builders: ['qemu'] as const,
      format: 'hcl' as const,
      force: false,
      offline: rest.offline,
      ...(fromImage === undefined ? {} : { fromImage }),
    };
    const { notCarried } = await exportProject(context, source.request, wanted, () => folder);
    for (const text of notCarried) events.message('warn', `Not in the project: ${text}.`);
  }
  const manifest = await readManifest(host, folder);
  const name = parseName(options.name ?? manifest?.name ?? nameFor(source.kind === 'folder' ? source.folder : folder), 'an image');
  // Before the long part.
  await checkLatest(openStore(host, home), name, undefined, options.force);
  const given = await secretsFor(context, manifest?.secrets ?? []);
  const { kind } = await accelerator(context);
  const only = options.only.length > 0 || manifest === undefined ? options.only : [`qemu.${sourceName(manifest.name)}`];
  const artifacts = await events.stage('packer build', (span) =>
    runPacker(
      context,
      {
        folder,
        scratch: scratch.path,
        only,
        variables: options.variables,
        defaults: { PKR_VAR_accelerator: kind, ...given.variables },
        secrets: given.values,
      },
      span,
    ),
  );
  return await importDisk(context, diskOf(artifacts, folder), { name, offline: options.offline, force: options.force });
}

/** Throws `packer-folder-unfit` for a folder without anything that Packer reads. */
async function checkProject({ host }: Pick<Context, 'host'>, folder: HostPath): Promise<void> {
  const names = await host.files.list(folder);
  if (names.some((name) => /\.pkr\.(hcl|json)$/.test(name))) return;
  const old = names.find((name) => name.endsWith('.json'));
  throw new IngotError('usage', 'packer-folder-unfit', `${folder} holds no *.pkr.hcl and no *.pkr.json`, {
    hint:
      old === undefined
        ? 'Give the folder of a project, or a template of ingot.'
        : `If ${old} is a template of Packer's old kind: \`packer hcl2_upgrade ${old}\` makes one of the new.`,
  });
}

function nameFor(folder: string): string {
  return basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 63)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
}

/** Values of ingot's secrets that the project wants, unless the environment has them. */
async function secretsFor(context: Context, names: readonly string[]): Promise<{ readonly variables: Record<string, string>; readonly values: string[] }> {
  const missing = names.filter((name) => context.host.env[`PKR_VAR_${secretName(name)}`] === undefined);
  if (missing.length === 0) return { variables: {}, values: [] };
  const secrets = openSecrets(context);
  const values = await Promise.all(missing.map((name) => secrets.value(name)));
  return { variables: Object.fromEntries(missing.map((name, i) => [`PKR_VAR_${secretName(name)}`, values[i] ?? ''])), values };
}

const DISK = /\.(qcow2|img|raw|vmdk|vhd|vhdx|ova)(\.(gz|xz|zst|bz2))?$/i;

/** The one disk that was made; QEMU's own result wins over what was made of it. Throws `packer-no-disk`, `packer-many-disks`. */
function diskOf(artifacts: readonly PackerArtifact[], folder: HostPath): HostPath {
  const made = artifacts.filter(({ builder }) => builder === 'transcend.qemu');
  const disks = (made.length > 0 ? made : artifacts).flatMap(({ files }) => files.filter((file) => DISK.test(file) || made.length > 0));
  const [first, second] = disks;
  if (first === undefined) {
    throw new IngotError('command', 'packer-no-disk', 'Packer has made no file that is a disk', {
      hint: 'Only what the builder qemu makes can be taken into the store. Templates on Proxmox VE or CloudStack are where they are.',
    });
  }
  if (second !== undefined) {
    throw new IngotError('usage', 'packer-many-disks', `Packer has made ${disks.length} disks: ${disks.join(', ')}`, {
      hint: 'Build one of them: --only qemu.NAME.',
    });
  }
  return hostPath(resolve(folder, first));
}
