import { join } from 'node:path';
import { stage } from '../build/apply/copy.ts';
import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import type { Argv, CommandResult } from '../base/process.ts';
import { makeScratch } from '../base/scratch.ts';
import { hostPath } from '../base/types.ts';
import { ANY_EXIT_CODE, sshCommand } from '../platforms/local/ssh.ts';
import type { ReachedVm } from '../platforms/remote-login.ts';
import type { PlatformContext } from '../platforms/platform.ts';
import { UPDATE_HOSTS } from './hosts.ts';
import type { MemberFile, MemberScript } from './model.ts';

type PlaceContext = Pick<PlatformContext, 'host' | 'home' | 'signal'>;

/** What ssh itself ends with where there is no connection. */
const SSH_FAILED = 255;
const OUTPUT_LINES = 25;

/** A command of the guest as root, whoever logs in. */
function asRoot(guest: ReachedVm, argv: readonly string[]): readonly string[] {
  return guest.spec.ssh.user === 'root' ? argv : ['sudo', '-n', '--', ...argv];
}

/** Lets a guest know the names of its lab. Throws `lab-hosts-failed`. */
export async function writeHosts({ signal }: Pick<PlatformContext, 'signal'>, guest: ReachedVm, text: string): Promise<void> {
  const result = await guest.ssh(asRoot(guest, ['sh', '-c', UPDATE_HOSTS]), { stdin: text, signal });
  if (result.exitCode === 0) return;
  throw guestFailed('lab-hosts-failed', `The names of the lab could not be written to /etc/hosts of ${guest.spec.name}`, result);
}

/**
 * Unpacks a tree from standard input beside where it goes, then puts it there. Folders that are there already keep their modes and owners: copying
 * into /etc must not change it. $1 is the path, $2 the owner, $3 `single` for one file, which is there whole or not at all.
 */
const PUT_FILES = `set -eu
umask 022
mkdir -p "$(dirname "$1")"
new=$(mktemp -d)
trap 'rm -rf "$new" "$1.ingot-new"' EXIT
tar -x -p -f - -C "$new"
chown -hR "$2" "$new"
if [ "$3" = single ]; then
  if [ -d "$1" ]; then echo "$1 is a folder" >&2; exit 1; fi
  cp -a "$new/file" "$1.ingot-new"
  mv -f "$1.ingot-new" "$1"
else
  cd "$new/tree"
  find . -type d | while IFS= read -r folder; do
    there=$1/$folder
    if [ -d "$there" ]; then chown "$(stat -c %u:%g "$there")" "$folder"; chmod "$(stat -c %a "$there")" "$folder"; fi
  done
  mkdir -p "$1"
  cp -a . "$1/"
fi`;

/** tar's archive goes to ssh ($2 and so on) without a file between them; $1 is the folder. */
const SEND = 'tar -C "$1" -c -f - . | { shift; exec "$@"; }';

/** Gives a guest a file or folder. Throws `input-changed` where it is no longer what was read, and `lab-file-failed`. */
export async function putFile(context: PlaceContext, guest: ReachedVm, file: MemberFile): Promise<void> {
  const { host, home, signal } = context;
  const { tree, to, owner } = file;
  await using scratch = await makeScratch(host, home, `files for ${guest.spec.name}`);
  const folder = hostPath(join(scratch.path, 'files'));
  const top = join(folder, tree.single ? 'file' : 'tree');
  await stage(host.files, folder, tree.entries, ({ path }) =>
    tree.single ? { from: tree.root, to: top } : { from: join(tree.root, path), to: join(top, path) },
  );
  const command = sshCommand(guest.spec.name, guest.spec.ssh, asRoot(guest, ['sh', '-c', PUT_FILES, 'sh', to, owner, tree.single ? 'single' : 'folder']));
  const argv: Argv = ['bash', '-o', 'pipefail', '-c', SEND, 'bash', folder, ...command];
  const result = await host.processes.run(argv, { accept: ANY_EXIT_CODE, signal });
  if (result.exitCode === 0) return;
  throw guestFailed('lab-file-failed', `${file.copy} could not be copied to ${guest.spec.name}:${to}`, result);
}

/**
 * Runs the program on standard input as root, unless it ran here already; that is kept in the guest, where a snapshot keeps it too. $1 is its hash, $2
 * `always` or `once`, $3 the lab, $4 the member.
 */
const RUN_SCRIPT = `set -eu
umask 077
at=/var/lib/ingot-lab
script=$at/$1
done=$at/done/$1
mkdir -p "$at/done"
if [ "$2" = once ] && [ -e "$done" ]; then cat > /dev/null; exit 0; fi
trap 'rm -f "$script"' EXIT
cat > "$script"
chmod 700 "$script"
export INGOT_LAB="$3" INGOT_MEMBER="$4"
cd /
umask 022
if [ "$(head -c 2 "$script")" = '#!' ]; then "$script" < /dev/null; else sh "$script" < /dev/null; fi
: > "$done"
sync`;

/** Runs a script in a guest, once for its content unless it says otherwise. Throws `lab-script-failed` with what it wrote last. */
export async function runScript(
  context: PlaceContext,
  guest: ReachedVm,
  script: MemberScript,
  member: { lab: string; name: string },
  span: Span,
): Promise<void> {
  const { label, content, always, hash } = script;
  const words = ['sh', '-c', RUN_SCRIPT, 'sh', hash, always ? 'always' : 'once', member.lab, member.name];
  const result = await guest.ssh(asRoot(guest, words), { stdin: content, signal: context.signal, onLine: (line, stream) => span.output(`${line}\n`, stream) });
  if (result.exitCode === 0) return;
  throw guestFailed('lab-script-failed', `The script "${label}" failed in ${guest.spec.name} with exit code ${result.exitCode}`, result);
}

function guestFailed(code: string, message: string, { exitCode, stdout, stderr }: CommandResult): IngotError {
  const output = `${stdout}\n${stderr}`.trim().split('\n').slice(-OUTPUT_LINES).join('\n');
  return new IngotError('command', code, exitCode === SSH_FAILED ? `${message}: the connection broke` : message, {
    hint: `Look around with \`ingot lab ssh\`, then run \`ingot lab up\` again: it goes on where it was.`,
    ...(output === '' ? {} : { detail: output }),
  });
}
