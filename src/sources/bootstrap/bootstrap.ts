import { join } from 'node:path';
import type { Span } from '../../base/events.ts';
import type { HostPath } from '../../base/types.ts';
import { writeDisk } from '../../disk/write.ts';
import type { Context } from '../../operations/operation.ts';
import type { Executor } from '../../workspace/executor.ts';
import { GuestRoot } from '../../workspace/guest-root.ts';
import { openPlace, type PlaceKind } from '../../workspace/place.ts';
import type { Archives } from './mirrors.ts';
import { configurePending, refuseBroken, unpack } from './dpkg.ts';
import { DEBS, fileName, PackageFolder } from './package-folder.ts';
import type { BootstrapRecipe, GuestCommand, ResolvedPackage } from './recipe.ts';

export interface BootstrapOptions {
  readonly mirrors: Archives;
  readonly offline: boolean;
  /** Where it is made; opened and closed here. */
  readonly workspace: PlaceKind;
  /** A scratch folder of this build. */
  readonly scratch: HostPath;
  /** Where the layer's qcow2 is written; created here. */
  readonly output: HostPath;
  readonly span: Span;
  /** Called with the root where a step failed, before everything is torn down. */
  readonly onFailure?: (root: GuestRoot, error: unknown) => Promise<void>;
}

/**
 * Makes a bootable disk from packages: the base of every image of a family that is installed rather than downloaded.
 * Runs the recipe and adds nothing of its own. Happens in a place, which needs root on this host or a VM.
 */
export async function bootstrap(context: Context, recipe: BootstrapRecipe, options: BootstrapOptions): Promise<void> {
  const { span } = options;
  await using undo = new AsyncDisposableStack();
  const debs = new PackageFolder(context, recipe.packages, options);
  const stop = new AbortController();
  const fetching = debs.fill(AbortSignal.any([context.signal, stop.signal]));
  fetching.catch(() => undefined); // awaited below; it may fail while something else is waited for
  // Whatever fails, nothing may write into the scratch folder any more when that is removed.
  undo.defer(async () => {
    stop.abort();
    await fetching.catch(() => undefined);
  });
  const place = undo.use(await openPlace(context, { kind: options.workspace, scratch: options.scratch }));
  const { executor } = place;
  const work = await place.room();
  await executor.run(['mkdir', '-m', '0755', join(work, 'root')]);
  if (!place.sharesFolders) await fetching;
  const counter = new DpkgCounter();
  const root = new GuestRoot(executor, join(work, 'root'), {
    readOnly: { [DEBS]: await place.provide(debs.folder) },
    onOutput: (text, stream) => {
      span.output(text, stream);
      counter.read(text);
    },
  });
  try {
    await stage(span, 'essential packages', async () => {
      const essential = await debs.essential();
      await extractEssential(executor, root, recipe, essential);
      await unpack(root, recipe, essential);
      for (const name of recipe.configureFirst) await root.run(['dpkg', '--force-depends', '--no-triggers', '--configure', name]);
      await root.run(['dpkg', '--no-triggers', '--force-unsafe-io', '--configure', '--pending']);
    });
    await fetching;
    const rest = recipe.packages.filter((item) => !item.essential);
    await stage(span, 'unpack', async (unpacking) => {
      counter.count('Unpacking ', rest.length, unpacking);
      await unpack(root, recipe, rest);
      await root.writeFiles(recipe.filesBefore);
    });
    await stage(span, 'configure', async (configuring) => {
      counter.count('Setting up ', rest.length, configuring);
      await root.withStubs(
        recipe.deferred.map(({ program }) => program),
        () => configurePending(root),
      );
      await refuseBroken(root);
    });
    await stage(span, 'finish', async () => {
      await root.writeFiles(recipe.files);
      const once = recipe.deferred.flatMap((program) => (program.once === undefined ? [] : [program.once]));
      await Promise.all([runEach(root, recipe.commands), ...once.map((command) => runEach(root, [command]))]);
      await root.seal(recipe.seal, recipe.truncate);
    });
    await stage(span, 'disk', async (diskStage) => {
      await writeDisk(place, root, recipe, {
        raw: join(work, 'disk.raw'),
        output: options.output,
        onProgress: (percent) => diskStage.progress(percent, 100, 'items'),
      });
    });
  } catch (error) {
    await options.onFailure?.(root, error);
    throw error;
  }
}

/** Turns what dpkg says of each package into progress. */
class DpkgCounter {
  #done = 0;
  #total = 0;
  #prefix: string | undefined;
  #span: Span | undefined;

  /** From now on, lines that start so count for this span. */
  count(prefix: string, total: number, span: Span): void {
    this.#done = 0;
    this.#total = total;
    this.#prefix = prefix;
    this.#span = span;
  }

  read(line: string): void {
    if (this.#prefix === undefined || !line.startsWith(this.#prefix)) return;
    this.#done += 1;
    this.#span?.progress(this.#done, this.#total, 'items');
  }
}

/** Puts the essential packages' files into the empty root, so that dpkg and a shell can run there. */
async function extractEssential(executor: Executor, root: GuestRoot, recipe: BootstrapRecipe, essential: readonly ResolvedPackage[]): Promise<void> {
  const debs = essential.map((item) => join(root.readOnlySource(DEBS), fileName(item)));
  // dpkg unpacks these packages again and keeps what `include` names; what is left out here it would not remove.
  const excluded = `${root.path}.exclude`;
  await executor.run(['tee', excluded], { stdin: recipe.exclude.map((pattern) => `.${pattern}\n`).join('') });
  await executor.run([
    'sh',
    '-ec',
    'root=$1; shift; for name; do mkdir -p "$root/usr/$name"; ln -s "usr/$name" "$root/$name"; done',
    'sh',
    root.path,
    ...recipe.mergedUsr,
  ]);
  await executor.run(
    [
      'sh',
      '-ec',
      'root=$1 excluded=$2; shift 2; for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --exclude-from="$excluded" -C "$root"; done',
      'sh',
      root.path,
      excluded,
      ...debs,
    ],
    { timeout: 300 },
  );
  const dpkgFolders = ['info', 'updates', 'triggers', 'alternatives', 'parts'].map((name) => join(root.path, 'var/lib/dpkg', name));
  await executor.run(['mkdir', '-p', ...dpkgFolders]);
  await executor.run(['touch', join(root.path, 'var/lib/dpkg/status'), join(root.path, 'var/lib/dpkg/available')]);
}

async function runEach(root: GuestRoot, commands: readonly GuestCommand[]): Promise<void> {
  for (const { argv } of commands) await root.run(argv);
}

async function stage(span: Span, label: string, work: (span: Span) => Promise<void>): Promise<void> {
  const child = span.child('stage', label);
  try {
    await work(child);
    child.end('done');
  } catch (error) {
    child.end('failed');
    throw error;
  }
}
