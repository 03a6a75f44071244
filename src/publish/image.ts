import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { takeLock } from '../base/lock.ts';
import { hexOf, hostPath, type HostPath } from '../base/types.ts';
import { exportImage } from '../disk/export.ts';
import { chooseFormat, type FormatName } from '../disk/formats/table.ts';
import type { ExportContext } from '../disk/formats/writers.ts';
import type { DiskWish, ExportedDisk, PlatformContext, PublishedImage } from '../platforms/platform.ts';
import { parseReference } from '../store/reference.ts';
import type { Image } from '../store/model.ts';
import { guestTests } from './guest-tests.ts';
import { publicationId } from './journal.ts';

/**
 * What is told of an image to a target. Throws `image-unproven` where its gate has not passed, unless that is wanted: what was not proven must not be
 * cloned by others who trust it.
 */
export function publishedImage(image: Image, asked: string, target: string, options: { readonly unproven: boolean }): PublishedImage {
  const name = nameOf(image, asked);
  const { gate } = image;
  const result = gate?.result ?? 'not-run';
  const tests = guestTests(image);
  if (result !== 'passed' && !options.unproven) {
    throw new IngotError('verification', 'image-unproven', `The gate of ${asked} has ${result === 'failed' ? 'failed' : 'not been run'}`, {
      hint: `Build it again with its gate (\`ingot build\`), or publish it as it is with --unproven.`,
    });
  }
  return {
    name,
    reference: immutableReference(image, name) ?? `${name}@${image.digest.slice(0, 'sha256:'.length + 12)}`,
    digest: image.digest,
    id: image.id,
    architecture: image.config.architecture,
    details: image.config['dev.ingot.image'],
    gate: gate === undefined ? 'not run' : `${result === 'not-run' ? 'not run' : result} (${gate.level}, ${gate.accelerator}, ${gate.finished})`,
    publication: publicationId(target, { name, digest: image.digest }),
    ...(tests === undefined ? {} : { tests }),
  };
}

function nameOf(image: Image, asked: string): string {
  return parseReference(asked).name ?? image.references[0]?.split(':')[0] ?? image.config['dev.ingot.image'].template;
}

/** The tag that never moves, where it has one. */
function immutableReference(image: Image, name: string): string | undefined {
  return (
    image.references.find((reference) => reference.startsWith(`${name}:`) && !reference.endsWith(':latest')) ??
    image.references.find((reference) => reference.startsWith(`${name}:`))
  );
}

const exportSchema = z.strictObject({ v: z.literal(1), size: z.int(), sha256: z.string() });

/** The image as one flat file, as a place wants it. */
export async function exportDisk(context: ExportContext, image: Image, wish: DiskWish): Promise<ExportedDisk> {
  return { ...(await exportFile(context, image, wish)), format: wish.format };
}

interface FileWish {
  readonly format: FormatName;
  readonly options?: DiskWish['options'];
}

/**
 * The image as one file in `cache/exports/`, with its digest; made where it is not there. It stays until {@link dropExports}, so that a publication that
 * was cut, and other targets, need not make it again.
 */
export async function exportFile(context: ExportContext, image: Image, wish: FileWish): Promise<Omit<ExportedDisk, 'format'>> {
  const { host, home, events, signal } = context;
  const { format } = wish;
  const path = exportPath(context, image, wish);
  await using _lock = await takeLock(host, home, `export-${hexOf(image.digest).slice(0, 16)}`, { what: `exporting ${image.digest}`, signal });
  const known = await knownExport(context, path);
  if (known !== undefined) return { path, ...known };
  await host.files.makeDirectory(home.exports);
  await host.files.remove(path);
  await events.stage('flat disk', (span) =>
    exportImage(context, image, path, {
      format: chooseFormat(path, format, wish.options ?? {}),
      force: true,
      onProgress: (percent) => span.progress(percent, 100, 'items', '%'),
    }),
  );
  const size = (await host.files.status(path))?.size ?? 0;
  const { hex } = await events.stage('digest', (span) => host.files.sha256(path, (done) => span.progress(done, size, 'bytes')));
  // Without this file the disk counts for nothing, so it comes last.
  await replaceFile(host.files, `${path}.json`, JSON.stringify({ v: 1, size, sha256: hex }));
  return { path, size, sha256: hex };
}

/** What goes to a kind of hypervisor instead of the image: a child of it, with the tools and the drivers at boot that are needed there. */
export interface ChildImage {
  readonly name: string;
  /** Where it is built. */
  readonly digest: string | undefined;
}

/** Finds the child that a kind of hypervisor takes, or nothing where that takes the image itself. `build` makes it, with its gate, where there is none. */
export type FindChild = (guest: DiskWish['guest'], options: { readonly build: boolean }) => Promise<ChildImage | undefined>;

/** Removes the flat files of an image, of whatever format: it is on its targets. */
export async function dropExports({ host, home }: Pick<PlatformContext, 'host' | 'home'>, image: Image): Promise<void> {
  const own = (await host.files.list(home.exports)).filter((name) => name.startsWith(hexOf(image.digest)));
  // What says that a file is whole goes first.
  for (const name of own.toSorted((a, b) => Number(b.endsWith('.json')) - Number(a.endsWith('.json')))) await host.files.remove(join(home.exports, name));
}

function exportPath({ home }: PlatformContext, image: Image, { format, options = {} }: FileWish): HostPath {
  const words = Object.entries(options).map(([key, value]) => `-${key}-${value}`);
  return hostPath(join(home.exports, `${hexOf(image.digest)}${words.toSorted().join('')}.${format}`));
}

async function knownExport({ host }: PlatformContext, path: HostPath): Promise<{ size: number; sha256: string } | undefined> {
  const text = await readTextIfThere(host.files, `${path}.json`);
  const parsed = exportSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
  if (!parsed.success) return undefined;
  const { size, sha256 } = parsed.data;
  return (await host.files.status(path))?.size === size ? { size, sha256 } : undefined;
}
