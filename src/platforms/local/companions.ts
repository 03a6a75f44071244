import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import { guestFiles, type GuestSpec } from './guest-spec.ts';
import { findShareDaemon, shareCommand } from './share-daemon.ts';
import { findSwtpm, tpmCommand } from './tpm.ts';

/** A program that QEMU connects to when it starts: it serves a folder, or is a TPM. */
export interface Companion {
  readonly argv: Argv;
  /** Where it listens; there as soon as it does. */
  readonly socket: HostPath;
}

/** The programs that a machine needs beside QEMU. Makes the folder of a TPM's state. Throws `tools-missing`, `share-unsupported`. */
export async function companionsOf(host: Host, spec: GuestSpec): Promise<Companion[]> {
  const files = guestFiles(spec.folder);
  const companions: Companion[] = [];
  const served = (spec.shares ?? []).filter(({ kind }) => kind === 'virtiofs');
  const daemon = served.length === 0 ? undefined : await findShareDaemon(host);
  for (const share of served) {
    if (daemon === undefined) {
      throw new IngotError('host', 'share-unsupported', `virtiofsd, which shares ${share.host} with ${spec.name}, is not installed any more`);
    }
    if ((await host.files.status(share.host))?.kind !== 'directory') {
      throw new IngotError('not-found', 'share-gone', `${share.host}, which ${spec.name} shares, is no folder any more`, {
        hint: 'Make it again, it may be empty.',
      });
    }
    const socket = files.share(share.tag);
    companions.push({ argv: shareCommand(daemon, share, socket, host.machine.uid === 0), socket });
  }
  if (spec.tpm === true) {
    const program = await findSwtpm(host);
    await host.files.makeDirectory(files.tpmState, 0o700);
    companions.push({ argv: tpmCommand(program, files), socket: files.tpm });
  }
  return companions;
}

/**
 * Starts a companion, waits until it listens, and becomes what follows. $1 is how many words the companion has, $2 its socket, then come its words, then
 * what follows. The kernel ends the companion with the process that this one becomes; the companion looks, once that is settled, whether its parent is still there.
 */
const BESIDE = `words=$1 socket=$2; shift 2; rest=$(($# - words))
(
  i=0; while [ $i -lt $words ]; do set -- "$@" "$1"; shift; i=$((i + 1)); done; shift $rest
  exec setpriv --pdeathsig TERM -- sh -c '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"' sh $$ "$@"
) </dev/null >/dev/null &
i=0
until [ -S "$socket" ]; do
  i=$((i + 1))
  if [ $i -gt 500 ] || ! kill -0 $! 2>/dev/null; then echo "$1 did not come to listen at $socket" >&2; exit 1; fi
  sleep 0.02
done
shift $words; exec "$@"`;

/** The command that starts the companions, each once the one before listens, and then becomes `argv`. */
export function withCompanions(companions: readonly Companion[], argv: Argv): Argv {
  return companions.reduceRight<Argv>(
    (rest, { argv: words, socket }) => ['/bin/sh', '-c', BESIDE, 'sh', String(words.length), socket, ...words, ...rest],
    argv,
  );
}
