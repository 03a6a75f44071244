import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { hashValue } from '../../base/hash.ts';
import { takeLock } from '../../base/lock.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { findRelease, shippedCatalog } from '../../catalog/catalog.ts';
import type { Context } from '../../operations/operation.ts';
import { hostArchitecture } from '../../platforms/local/accelerator.ts';
import { chooseMirrors, mirrorsOfSettings } from '../../sources/bootstrap/mirrors.ts';
import { refreshUpstream, resolvePackages } from '../../sources/bootstrap/upstream.ts';
import { helperFile } from '../host-place.ts';
import { helperFiles, helperProgram, makeHelper, type HelperFiles } from './build.ts';
import * as init from './init.ts';
import { HELPER_EXCLUDED, HELPER_MODULES, HELPER_RELEASE, helperPackages } from './packages.ts';

export type VmContext = Pick<Context, 'host' | 'home' | 'settings' | 'events' | 'signal'>;

/** The helper VM's kernel and root, made and kept in the home. */
export interface HelperImage extends HelperFiles {
  /** The hash of all that it is made of. */
  readonly key: string;
  readonly folder: HostPath;
}

/** Changes with the way in which a helper VM is made. */
const FORMAT = 1;
/** Days after which the package repositories are asked for newer packages. */
const FRESH_DAYS = 7;

const currentSchema = z.object({
  v: z.literal(1),
  /** What of it is ingot's own. */
  own: z.string(),
  key: z.string(),
  checked: z.iso.datetime(),
});

/**
 * The helper VM of this ingot and host: the one in the home, or one made now from packages. It is made anew when what ingot puts into it
 * changes, and when the repositories, which are asked every week, have newer packages. Throws `offline-missing` and the like where it
 * has to be made and cannot.
 */
export async function ensureHelperImage(context: VmContext, options: { offline: boolean }): Promise<HelperImage> {
  const own = await ownInputs(context);
  const ready = await findCurrent(context, own);
  if (ready !== undefined && (options.offline || ready.fresh)) return ready.image;
  await using _lock = await takeLock(context.host, context.home, 'helper-vm', {
    what: 'making the helper VM',
    signal: context.signal,
    onWait: (owner) => context.events.message('info', `Waiting for process ${owner?.pid ?? '?'}, which is making the helper VM.`),
  });
  const meanwhile = await findCurrent(context, own);
  if (meanwhile !== undefined && meanwhile.fresh) return meanwhile.image;
  try {
    return await make(context, own, options.offline);
  } catch (error) {
    if (meanwhile === undefined || !(error instanceof IngotError) || error.class !== 'upstream') throw error;
    context.events.message('warn', `The helper VM could not be brought up to date (${error.message}); the one made before is used.`);
    return meanwhile.image;
  }
}

/** The hash of what ingot itself puts into the helper VM, and asks of the repositories. */
async function ownInputs({ host }: VmContext): Promise<string> {
  const helper = await host.files.read(helperFile());
  const arch = hostArchitecture(host);
  return hashValue([
    FORMAT,
    arch,
    HELPER_RELEASE,
    helperPackages(arch),
    HELPER_MODULES,
    HELPER_EXCLUDED,
    { ...init },
    createHash('sha256').update(helper).digest('hex'),
  ]);
}

function imageOf({ home }: VmContext, key: string): HelperImage {
  const folder = hostPath(join(home.helper, key));
  return { key, folder, ...helperFiles(folder) };
}

async function findCurrent(context: VmContext, own: string): Promise<{ image: HelperImage; fresh: boolean } | undefined> {
  const { host, home } = context;
  const text = await readTextIfThere(host.files, join(home.helper, 'current.json'));
  const parsed = text === undefined ? undefined : currentSchema.safeParse(parseJson(text));
  if (parsed?.success !== true || parsed.data.own !== own) return undefined;
  const image = imageOf(context, parsed.data.key);
  for (const file of [image.kernel, image.initrd, image.root]) if ((await host.files.status(file)) === undefined) return undefined;
  const age = host.clock.now().getTime() - Date.parse(parsed.data.checked);
  return { image, fresh: age >= 0 && age < FRESH_DAYS * 24 * 3600 * 1000 };
}

async function make(context: VmContext, own: string, offline: boolean): Promise<HelperImage> {
  const { host, home, settings } = context;
  const arch = hostArchitecture(host);
  const release = findRelease(await shippedCatalog(), HELPER_RELEASE);
  const mirrors = await chooseMirrors(host, release, arch, mirrorsOfSettings(settings, release, arch));
  const upstream = { release, arch, mirrors, offline, allowExpired: false };
  const { packages } = await resolvePackages(context, upstream, await refreshUpstream(context, upstream), helperPackages(arch));
  const key = hashValue([own, packages.map(({ name, version, sha256 }) => [name, version, sha256])]).slice(0, 16);
  const image = imageOf(context, key);
  if ((await host.files.status(image.root)) === undefined) {
    const span = context.events.span('layer', 'helper VM');
    try {
      await using scratch = await makeScratch(host, home, 'making the helper VM');
      const folder = hostPath(join(scratch.path, 'helper'));
      await host.files.makeDirectory(folder);
      await makeHelper(context, { packages, mirrors, offline, program: await helperProgram(helperFile()), scratch: scratch.path, folder });
      await host.files.makeDirectory(home.helper);
      await host.files.remove(image.folder);
      await host.files.rename(folder, image.folder);
      await host.files.sync(home.helper);
      span.end('done');
    } catch (error) {
      span.end('failed');
      throw error;
    }
  }
  await replaceFile(host.files, join(home.helper, 'current.json'), JSON.stringify({ v: 1, own, key, checked: host.clock.now().toISOString() }));
  // A VM that runs from an older one holds its files open.
  for (const name of await host.files.list(home.helper)) if (name !== 'current.json' && name !== key) await host.files.remove(join(home.helper, name));
  return image;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // made again
  }
}
