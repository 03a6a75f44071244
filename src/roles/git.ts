import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Argv, CommandResult } from '../base/process.ts';
import { makeScratch } from '../base/scratch.ts';
import { shownValue } from '../base/settings.ts';
import { hostPath } from '../base/types.ts';
import { proxyEnvironment } from '../base/transfer/proxy.ts';
import type { Context } from '../operations/operation.ts';
import type { GitRole } from './find.ts';
import { MAX_ROLE_FILE, roleText } from './folder.ts';
import type { RoleFolder } from './role.ts';

/** Seconds that fetching may take. */
const TIMEOUT = 300;

type GitContext = Pick<Context, 'host' | 'home' | 'events' | 'signal'>;

const rememberedSchema = z.object({ v: z.literal(1), files: z.record(z.string(), z.string()) });

/**
 * The folder of a role in a Git repository, as it is in one commit: the commit's hash vouches for it, so the repository may be anywhere. What was fetched
 * once is used without asking anybody. Throws `git-failed`, `git-commit-missing`, `offline-missing`, `role-missing`.
 */
export async function readGitRole(context: GitContext, role: GitRole, offline: boolean): Promise<RoleFolder> {
  const { host, home } = context;
  const origin = `${shownValue(role.git)} ${role.path} (${role.commit.slice(0, 12)})`;
  const file = hostPath(`/${join(role.path === '.' ? 'role' : role.path, 'role.yaml')}`);
  const remembered = join(
    home.git,
    `${createHash('sha256')
      .update(JSON.stringify([role.git, role.commit, role.path]))
      .digest('hex')}.json`,
  );
  const known = await readTextIfThere(host.files, remembered);
  if (known !== undefined) return { origin, file, files: rememberedSchema.parse(JSON.parse(known)).files };
  if (offline) {
    throw new IngotError('upstream', 'offline-missing', `${origin} is not in the cache, and --offline forbids to fetch it`, {
      hint: 'Run it once without --offline.',
    });
  }
  await using scratch = await makeScratch(host, home, `fetching ${shownValue(role.git)}`);
  const folder = join(scratch.path, 'git');
  const git = gitIn(context, folder);
  await context.events.stage(`fetch ${shownValue(role.git)}`, () => fetchCommit(git, folder, role));
  const files = await readTree(git, role, origin);
  await host.files.makeDirectory(home.git);
  await replaceFile(host.files, hostPath(remembered), JSON.stringify({ v: 1, files }));
  return { origin, file, files };
}

type Git = (args: readonly string[], accept?: readonly number[]) => Promise<CommandResult>;

/** Nothing of the user's or the system's configuration counts, and nobody is asked for a password. Addresses that run programs (`ext::`) are refused. */
function gitIn({ host, signal }: GitContext, folder: string): Git {
  const env = {
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'https:ssh:file',
    ...Object.fromEntries(['HOME', 'SSH_AUTH_SOCK'].flatMap((name) => (host.env[name] === undefined ? [] : [[name, host.env[name]]]))),
    ...proxyEnvironment(host.env),
  };
  return (args, accept = []) => {
    const argv: Argv = ['git', '--git-dir', folder, ...args];
    return host.processes.run(argv, { env, timeout: TIMEOUT, signal, accept });
  };
}

async function has(git: Git, commit: string): Promise<boolean> {
  return (await git(['cat-file', '-e', `${commit}^{tree}`], [1, 128])).exitCode === 0;
}

/** One commit where the server gives single ones, else everything. */
async function fetchCommit(git: Git, folder: string, { git: address, commit }: GitRole): Promise<void> {
  try {
    await git(['init', '--quiet', '--bare', folder]);
    const one = await git(['fetch', '--quiet', '--depth', '1', '--no-tags', '--', address, commit], [1, 128]);
    if (one.exitCode !== 0) await git(['fetch', '--quiet', '--no-tags', '--', address, '+refs/*:refs/ingot/*']);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'command-failed') throw error;
    throw new IngotError('upstream', 'git-failed', `${shownValue(address)} could not be fetched`, {
      cause: error,
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      hint: 'Look whether `git ls-remote` of this address works for the same user.',
    });
  }
  if (!(await has(git, commit))) {
    throw new IngotError('not-found', 'git-commit-missing', `${shownValue(address)} has no commit ${commit}`, {
      hint: 'Was it pushed? A branch that was rewritten loses commits.',
    });
  }
}

async function readTree(git: Git, { commit, path }: GitRole, origin: string): Promise<Record<string, string>> {
  const prefix = path === '.' ? '' : `${path}/`;
  const { stdout } = await git(['ls-tree', '-r', '-z', '--long', '--full-tree', commit, ...(prefix === '' ? [] : [prefix])]);
  const files: Record<string, string> = {};
  for (const line of stdout.split('\0').filter((each) => each !== '')) {
    const [, mode = '', size = '', name = ''] = /^(\d+) \w+ [0-9a-f]+ +(\S+)\t([\s\S]*)$/.exec(line) ?? [];
    const inner = name.slice(prefix.length);
    if (inner === 'README.md' || inner === 'tested.json') continue;
    if (mode !== '100644' && mode !== '100755') throw new IngotError('usage', 'role-file-refused', `A role cannot hold ${name} of ${origin}: it is no file`);
    if (Number(size) > MAX_ROLE_FILE) throw new IngotError('usage', 'role-file-refused', `A role cannot hold ${name} of ${origin}: it is too large`);
    files[inner] = roleText(Buffer.from((await git(['cat-file', 'blob', `${commit}:${name}`])).stdout), name);
  }
  if (files['role.yaml'] === undefined) {
    throw new IngotError('not-found', 'role-missing', `There is no role in ${origin}: it has no role.yaml`, {
      hint: '`path` names the folder of the role in the repository.',
    });
  }
  return files;
}
