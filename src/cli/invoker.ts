import { readFile } from 'node:fs/promises';
import type { Processes } from '../base/process.ts';

interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * Under sudo, goes on as the user who called it, for good: what ingot makes then belongs to that user and lies in
 * that user's home. What needs root (the helper of the host workspace, apt-get) is started through sudo by itself.
 * Does nothing without sudo, and for `sudo` by root.
 */
export async function becomeInvoker(env: NodeJS.ProcessEnv, processes: () => Promise<Processes>): Promise<void> {
  const name = env['SUDO_USER'];
  if (process.getuid?.() !== 0 || name === undefined || name === '' || name === 'root') return;
  const account =
    parsePasswd(await readFile('/etc/passwd', 'utf8'), name) ??
    parsePasswd((await (await processes()).run(['getent', 'passwd', name], { accept: [2] })).stdout, name);
  if (account === undefined || account.uid === 0) return;
  // Not in Node's types. Without it, root's groups would stay.
  if ('initgroups' in process && typeof process.initgroups === 'function') process.initgroups(name, account.gid);
  process.setgid?.(account.gid);
  process.setuid?.(account.uid);
  env['HOME'] = account.home;
  env['USER'] = name;
  env['LOGNAME'] = name;
  // Folders of root's session, had they been kept.
  for (const variable of ['XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_RUNTIME_DIR']) delete env[variable];
}

/** The account of a name in the format of passwd(5). */
export function parsePasswd(text: string, name: string): Account | undefined {
  for (const line of text.split('\n')) {
    const [login, , uid, gid, , home] = line.split(':');
    if (login === name && uid !== undefined && gid !== undefined && home !== undefined && home.startsWith('/')) {
      return { uid: Number(uid), gid: Number(gid), home };
    }
  }
  return undefined;
}
