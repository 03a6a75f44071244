import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { downloadAll } from '../../base/download.ts';
import { IngotError } from '../../base/errors.ts';
import { formatSize, hostPath, type HostPath } from '../../base/types.ts';
import { makeExt4Image } from '../../disk/ext4-image.ts';
import type { Context } from '../../operations/operation.ts';
import type { Mirrors } from '../../sources/bootstrap/mirrors.ts';
import type { ResolvedPackage } from '../../sources/bootstrap/recipe.ts';
import { cpioArchive, type CpioEntry } from './cpio.ts';
import { FIRST_INIT, HELPER_INSIDE, INIT, INIT_INSIDE, PLAIN_FILES, PLAIN_FOLDERS } from './init.ts';
import { loadOrder, modinfoDepends, moduleName, type KernelModule } from './kernel-modules.ts';
import { HELPER_EXCLUDED, HELPER_MODULES } from './packages.ts';

type Dependencies = Pick<Context, 'host' | 'home' | 'events' | 'signal'>;

/** Files of the helper VM in its folder. */
export interface HelperFiles {
  readonly kernel: HostPath;
  readonly initrd: HostPath;
  readonly root: HostPath;
}

/** Names the files in a folder of the helper VM. */
export function helperFiles(folder: string): HelperFiles {
  const at = (name: string): HostPath => hostPath(join(folder, name));
  return { kernel: at('vmlinuz'), initrd: at('initrd.cpio'), root: at('root.ext4') };
}

export interface MakeHelperOptions {
  readonly packages: readonly ResolvedPackage[];
  readonly mirrors: Mirrors;
  readonly offline: boolean;
  /** The helper's program, as JavaScript. */
  readonly program: string;
  /** A scratch folder, for what is extracted. */
  readonly scratch: HostPath;
  /** Where the files are made; there already, and empty. */
  readonly folder: HostPath;
}

/** Links that a merged /usr has in the root. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/**
 * Makes the helper VM's kernel, initial RAM disk and root disk from Debian's packages: extracted only, none of their scripts is run, and
 * no root is needed. Throws what downloading throws, and `helper-incomplete` where a package lacks what is expected of it.
 */
export async function makeHelper(context: Dependencies, options: MakeHelperOptions): Promise<void> {
  const { host } = context;
  const tree = join(options.scratch, 'helper-root');
  await host.files.makeDirectory(tree);
  await extract(context, await download(context, options), tree);
  const files = helperFiles(options.folder);
  const kernel = await findKernel(context, tree);
  await host.files.copy(kernel.image, files.kernel);
  await host.files.write(files.initrd, await initialRamDisk(context, tree, kernel.modules));
  for (const name of [dirname(kernel.modules), join(tree, 'boot')]) await host.files.remove(name);
  for (const name of PLAIN_FOLDERS) await host.files.makeDirectory(join(tree, name));
  await host.files.makeDirectory(join(tree, dirname(INIT_INSIDE)));
  await host.files.write(join(tree, INIT_INSIDE), INIT, { mode: 0o755 });
  await host.files.write(join(tree, HELPER_INSIDE), options.program);
  for (const [path, content] of Object.entries(PLAIN_FILES)) {
    await host.files.remove(join(tree, path));
    await host.files.write(join(tree, path), content);
  }
  await makeExt4Image(host, tree, files.root, { label: 'ingot-helper', signal: context.signal });
  await host.files.setMode(files.root, 0o644);
  for (const file of Object.values(files)) await host.files.sync(file);
  await host.files.remove(tree);
}

async function download(context: Dependencies, { packages, mirrors, offline }: MakeHelperOptions): Promise<string[]> {
  const items = packages.map((item) => ({ ...item, url: `${item.archive === 'security' ? mirrors.security : mirrors.archive}/${item.path}` }));
  const paths: string[] = [];
  const total = items.reduce((sum, item) => sum + item.size, 0);
  const stage = context.events.span('stage', `helper VM: ${items.length} packages, ${formatSize(total)}`);
  try {
    await downloadAll(
      context.host,
      items,
      {
        folder: context.home.packages,
        offline,
        signal: context.signal,
        onProgress: (done, all) => stage.progress(done, all, 'bytes'),
        onRetry: (url, attempt, cause) => context.events.message('warn', `Attempt ${attempt} to fetch ${url} failed (${cause}); trying again.`),
      },
      (_, path) => void paths.push(path),
    );
    stage.end('done');
  } catch (error) {
    stage.end('failed');
    throw error;
  }
  return paths.toSorted();
}

/** Unpacks packages into a folder, on all cores: none replaces another's files. */
async function extract({ host, signal }: Dependencies, debs: readonly string[], tree: string): Promise<void> {
  const links = 'tree=$1; shift; for name; do mkdir -p "$tree/usr/$name"; ln -s "usr/$name" "$tree/$name"; done';
  await host.processes.run(['sh', '-ec', links, 'sh', tree, ...MERGED]);
  const excluded = `${tree}.exclude`;
  await host.files.write(excluded, HELPER_EXCLUDED.map((pattern) => `${pattern}\n`).join(''));
  const unpack =
    'tree=$1 excluded=$2; shift 2; for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner --exclude-from="$excluded" -C "$tree"; done';
  const workers = Math.max(1, host.machine.cpus);
  const shares = Array.from({ length: workers }, (_, worker) => debs.filter((_deb, i) => i % workers === worker));
  await Promise.all(
    shares
      .filter((share) => share.length > 0)
      .map((share) => host.processes.run(['sh', '-ec', unpack, 'sh', tree, excluded, ...share], { timeout: 600, signal })),
  );
}

async function findKernel({ host }: Dependencies, tree: string): Promise<{ image: string; modules: string }> {
  const boot = join(tree, 'boot');
  const image = (await host.files.list(boot)).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) throw new IngotError('verification', 'helper-incomplete', 'The kernel package of the helper VM holds no kernel');
  return { image: join(boot, image), modules: join(tree, 'usr/lib/modules', image.slice('vmlinuz-'.length)) };
}

async function initialRamDisk({ host }: Dependencies, tree: string, modules: string): Promise<Buffer> {
  const found = new Map((await moduleFiles(host.files, join(modules, 'kernel'))).map((path) => [moduleName(path), path]));
  const order = await loadOrder(HELPER_MODULES, async (name): Promise<KernelModule | undefined> => {
    const path = found.get(name);
    return path === undefined ? undefined : { path, depends: modinfoDepends(await host.files.read(path)) };
  });
  if (!order.some((path) => moduleName(path) === 'virtio_blk'))
    throw new IngotError('verification', 'helper-incomplete', 'The kernel package of the helper VM lacks the modules for its disks', {
      hint: 'Run it again; if it stays so, report it.',
    });
  const folder = (path: string): CpioEntry => ({ path, mode: 0o755 });
  const file = async (path: string, from: string, mode: number): Promise<CpioEntry> => ({ path, mode, data: await host.files.read(from) });
  const loaded = order.map((path, i) => ({ path, name: `${String(i).padStart(2, '0')}-${moduleName(path)}.ko` }));
  return cpioArchive([
    ...['bin', 'dev', 'proc', 'sys', 'root', 'modules'].map(folder),
    { path: 'init', mode: 0o755, data: Buffer.from(FIRST_INIT) },
    await file('bin/busybox', join(tree, 'usr/bin/busybox'), 0o755),
    { path: 'modules/order', mode: 0o644, data: Buffer.from(loaded.map(({ name }) => `${name}\n`).join('')) },
    ...(await Promise.all(loaded.map(({ path, name }) => file(`modules/${name}`, path, 0o644)))),
  ]);
}

async function moduleFiles(files: Dependencies['host']['files'], folder: string): Promise<string[]> {
  const names = await files.list(folder);
  const parts = await Promise.all(
    names.map(async (name): Promise<string[]> => {
      const path = join(folder, name);
      if (name.endsWith('.ko')) return [path];
      return (await files.status(path))?.kind === 'directory' ? await moduleFiles(files, path) : [];
    }),
  );
  return parts.flat();
}

/** The type-stripped text of the helper's program: the VM's Node takes JavaScript only. */
export async function helperProgram(path: string): Promise<string> {
  const { stripTypeScriptTypes } = await import('node:module');
  await using file = await open(path, 'r');
  const text = await file.readFile('utf8');
  return path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
}
