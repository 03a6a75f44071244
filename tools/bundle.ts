/*
 * Makes dist/<hash>/: the CLI as few ES modules, lazy imports still lazy, the catalog compiled in. `dist/current` is a
 * link that moves in one step, so that a process that runs from the old folder still finds its lazy modules there.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown, type OutputOptions } from 'rolldown';
import { readCatalogFolder, readPackageFolder } from '../src/catalog/folder.ts';
import { loadOperation, REGISTRY } from '../src/operations/registry.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
/** Folders of older bundles are kept this long for processes that still run from them. */
const KEEP_MILLISECONDS = 24 * 3600 * 1000;
const CATALOG_MODULE = '\0ingot-catalog';
const PACKAGES_MODULE = '\0ingot-packages';
const SUMMARIES_MODULE = '\0ingot-summaries';

const started = new Date();
const catalog = JSON.stringify(await readCatalogFolder());
const packages = JSON.stringify(await readPackageFolder());
const summaries = JSON.stringify(
  Object.fromEntries(await Promise.all(Object.keys(REGISTRY).map(async (name) => [name, (await loadOperation(name)).summary] as const))),
);
const virtual: Readonly<Record<string, string>> = { [CATALOG_MODULE]: catalog, [PACKAGES_MODULE]: packages, [SUMMARIES_MODULE]: summaries };

const CORE = [
  /node_modules\/zod\/(v4\/)?(core|mini)\//,
  /src\/base\/(?!lock|log-rotate|scratch|download|transfer|hash|event-schema|settings-|secrets)/,
  /src\/cli\/(?!start|main|version|help|hidden-input)/,
  /src\/operations\/(operation|fields|registry|global-flags|image-list|image-text|table)\.ts/,
  /src\/store\/(store|list|index-file|media)\.ts/,
];
/** Programs of their own, which ingot starts. */
const PROGRAMS: Readonly<Record<string, string>> = {
  helper: 'src/workspace/helper.ts',
  'helper-shell': 'src/workspace/vm/shell-program.ts',
  'thaw-guard': 'src/platforms/local/thaw-guard-program.ts',
  'hash-program': 'src/base/transfer/hash-program.ts',
};
const isCore = (id: string): boolean => CORE.some((pattern) => pattern.test(id));

const build = await rolldown({
  cwd: root,
  input: { ingot: 'src/cli/start.ts' },
  platform: 'node',
  external: [/^node:/],
  // What is not used of zod goes: one of its modules otherwise keeps all others.
  treeshake: { moduleSideEffects: (id) => !/node_modules\/zod\//.test(id) },
  transform: {
    define: {
      INGOT_HELPER: JSON.stringify('./helper.js'),
      INGOT_HELPER_SHELL: JSON.stringify('./helper-shell.js'),
      INGOT_THAW_GUARD: JSON.stringify('./thaw-guard.js'),
      INGOT_HASH_PROGRAM: JSON.stringify('./hash-program.js'),
      INGOT_ANSIBLE_CONNECTION: JSON.stringify('./ansible-connection.py'),
      INGOT_COMMIT: JSON.stringify(commit()),
    },
    inject: {
      INGOT_CATALOG: [CATALOG_MODULE, 'default'],
      INGOT_PACKAGES: [PACKAGES_MODULE, 'default'],
      INGOT_SUMMARIES: [SUMMARIES_MODULE, 'default'],
    },
  },
  plugins: [
    {
      name: 'compiled-in',
      resolveId: (id) => (id in virtual ? id : null),
      load: (id) => (virtual[id] === undefined ? null : { code: `export default JSON.parse(${JSON.stringify(virtual[id])});`, moduleType: 'js' }),
    },
  ],
});
const options: OutputOptions = {
  format: 'esm',
  // Readable: a stack trace shows names and lines. Parsing costs nothing with the compile cache.
  minify: 'dce-only',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
  // What nearly every command loads is one file, since each file costs; what starts it and prints the version stays apart.
  codeSplitting: { groups: [{ name: 'core', test: isCore }] },
};
const { output } = await build.generate(options);
await build.close();
for (const [entry, source] of Object.entries(PROGRAMS)) {
  // One file each, which needs nothing beside it: the helper is copied into its VM.
  const program = await rolldown({ cwd: root, input: { [entry]: source }, platform: 'node', external: [/^node:/] });
  output.push(...(await program.generate({ format: 'esm', minify: 'dce-only', entryFileNames: '[name].js' })).output);
  await program.close();
}

const files = output.flatMap((file) => [{ name: file.fileName, content: file.type === 'chunk' ? file.code : file.source }]);
files.push({ name: 'ansible-connection.py', content: readFileSync(join(root, 'src/build/apply/ansible-connection.py')) });
const hash = createHash('sha256');
for (const { name, content } of files) hash.update(name).update(content);
const name = hash.digest('hex').slice(0, 16);

mkdirSync(dist, { recursive: true });
const folder = join(dist, name);
if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
  const temporary = join(dist, `.tmp-${process.pid}`);
  mkdirSync(temporary);
  for (const file of files) writeFileSync(join(temporary, file.name), file.content);
  writeFileSync(join(temporary, 'package.json'), '{"type":"module"}\n');
  try {
    renameSync(temporary, folder);
  } catch (error) {
    // Another one made the same bundle at the same time.
    rmSync(temporary, { recursive: true, force: true });
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) throw error;
  }
}
// As old as the sources it was made of: what changed meanwhile makes it stale.
utimesSync(join(folder, 'ingot.js'), started, started);
const link = join(dist, `.current-${process.pid}`);
symlinkSync(name, link);
renameSync(link, join(dist, 'current'));

for (const entry of readdirSync(dist)) {
  const path = join(dist, entry);
  const old = Date.now() - lstatSync(path).mtimeMs > KEEP_MILLISECONDS;
  if (entry !== name && entry !== 'current' && old) rmSync(path, { recursive: true, force: true });
}

/** The commit of the sources, with a plus sign where files differ from it; empty outside a clone. */
function commit(): string {
  try {
    const git = (...words: string[]): string => execFileSync('git', ['-C', root, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'catalog') === '' ? '' : '+'}`;
  } catch {
    return '';
  }
}
