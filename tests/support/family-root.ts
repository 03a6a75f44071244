import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeScratch } from '../../src/base/scratch.ts';
import { withNetwork } from '../../src/build/apply/network.ts';
import type { Changes } from '../../src/families/changes.ts';
import type { Family } from '../../src/families/family.ts';
import type { Seal } from '../../src/families/recipe.ts';
import { ANY_EXIT_CODE } from '../../src/platforms/local/ssh.ts';
import type { Context } from '../../src/operations/operation.ts';
import type { GuestCommand } from '../../src/sources/bootstrap/recipe.ts';
import type { Executor } from '../../src/workspace/executor.ts';
import { GuestRoot } from '../../src/workspace/guest-root.ts';
import { openPlace } from '../../src/workspace/place.ts';

/** A root of a family that a test built, in memory, opened as a build opens an image on this host; nothing of it stays. */
export interface FamilyRoot extends AsyncDisposable {
  readonly root: GuestRoot;
  /** What was printed inside, most recent last. */
  readonly output: string[];
  /** Runs commands as a layer does; with the network where a package manager needs it. Secrets have these values. */
  run(commands: readonly GuestCommand[], options?: { readonly network?: boolean; readonly secrets?: Readonly<Record<string, string>> }): Promise<void>;
  /** Files, then commands; packages are installed first, by the family's own command, where a family is given. */
  apply(changes: Changes, options?: { readonly family?: Family; readonly secrets?: Readonly<Record<string, string>> }): Promise<void>;
  seal(seal: Seal): Promise<void>;
  /** What a shell inside prints. */
  shell(script: string): Promise<string>;
}

/** Opens a root that `make` fills: it gets an empty folder, and what runs commands there as root. */
export async function openFamilyRoot(context: Context, make: (executor: Executor, folder: string) => Promise<unknown>): Promise<FamilyRoot> {
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await makeScratch(context.host, context.home, 'a root of a test'));
  const place = undo.use(await openPlace(context, { kind: 'host', scratch: scratch.path }));
  const folder = join(await place.room(), 'root');
  await place.executor.run(['mkdir', '-m', '0755', folder]);
  await make(place.executor, folder);
  const output: string[] = [];
  const root = new GuestRoot(place.executor, folder, { onOutput: (text) => void output.push(text) });
  const owned = undo.move();
  const run: FamilyRoot['run'] = async (commands, { network = false, secrets = {} } = {}) => {
    for (const { argv, secretStdin } of commands) {
      const stdin = secretStdin === undefined ? {} : { stdin: secrets[secretStdin.secret] ?? '' };
      await (network ? withNetwork(place, root, () => root.run(argv, { ...stdin, network })) : root.run(argv, stdin));
    }
  };
  return {
    root,
    output,
    run,
    async apply(changes, { family, secrets = {} } = {}) {
      if (family !== undefined) await run(family.install(changes.packages), { network: true });
      await root.writeFiles(changes.files);
      await run(changes.commands, { secrets });
    },
    seal: ({ remove, truncate, emptyFolders }) => root.seal(remove, truncate, emptyFolders),
    async shell(script) {
      const { stdout, stderr, exitCode } = await root.run(['sh', '-ec', script], { quiet: true, accept: ANY_EXIT_CODE });
      if (exitCode !== 0) throw new Error(`${script}\nended with ${exitCode}: ${stdout}${stderr}`);
      return stdout;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * Fills a folder with this host's own programs, on which the root writes nothing: /usr is seen through an overlay in memory. For package managers of
 * other distributions that Debian has as packages; accounts and configuration are the root's own.
 */
export async function hostUserland(executor: Executor, folder: string): Promise<void> {
  const script = String.raw`
cd "$1"
mkdir -p usr etc var/lib var/log var/cache var/tmp root home opt srv boot tmp run dev proc mnt ../usr-upper ../usr-work
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$1/../usr-upper,workdir=$1/../usr-work" usr
for name in bin sbin lib lib64; do if [ -L "/$name" ]; then ln -s "usr/$name" "$name"; fi; done
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:*:20000:0:99999:7:::' >etc/shadow
printf 'root:x:0:\nmail:x:8:\n' >etc/group
printf 'root:*::\nmail:!::\n' >etc/gshadow
chmod 640 etc/shadow etc/gshadow
ln -s ../proc/self/mounts etc/mtab
chmod 1777 tmp var/tmp
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >etc/nsswitch.conf
cp -a /etc/login.defs /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.cache /etc/alternatives etc/ 2>/dev/null || true
mkdir -p etc/pam.d
for name in chpasswd passwd common-password other; do echo 'password required pam_unix.so yescrypt' >"etc/pam.d/$name"; done
`;
  await executor.run(['sh', '-ec', script, 'sh', folder]);
}

/** Why a test that needs these programs of the host cannot run, or undefined. */
export function missingPrograms(programs: readonly string[]): string | undefined {
  const missing = programs.filter((name) => !['/usr/bin', '/usr/sbin', '/bin', '/sbin'].some((folder) => existsSync(join(folder, name))));
  return missing.length === 0 ? undefined : `there is no ${missing.join(', ')}`;
}
