import { attach } from '../../base/attached.ts';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { quoteCommand, type Argv } from '../../base/process.ts';
import type { Compression } from './compressed.ts';
import { piecesOf, type DiskSource } from './source.ts';

/*
 * What was written is read back against what it was made from, before it gets its name: a disk by qemu-img, a compressed stream by its own program.
 */

const COMPARE_SECONDS = 3600;
/** What `qemu-img compare` ends with where contents differ. */
const DIFFERENT = 1;

/** A disk in a file, as QEMU is to open it; `part` is where it begins and its bytes, where it is in another file. */
export function diskIn(path: string, driver: string, part?: { readonly position: number; readonly size: number }): object {
  const file = { driver: 'file', filename: path, 'read-only': true };
  const bytes = part === undefined ? file : { driver: 'raw', offset: part.position, size: part.size, 'read-only': true, file };
  return {
    driver,
    'read-only': true,
    file: bytes,
    ...(driver === 'qcow2' ? { backing: null } : {}),
    ...(driver === 'vpc' ? { force_size_calc: 'current_size' } : {}),
  };
}

/** Compares two disks, byte by byte; what one has beyond the other has to be zeros. Throws `export-differs`. */
export async function compareDisks(
  host: Pick<Host, 'processes'>,
  source: object,
  written: object,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (percent: number) => void } = {},
): Promise<void> {
  const argv: Argv = ['qemu-img', 'compare', ...[source, written].map((graph) => `json:${JSON.stringify(graph)}`)];
  const { exitCode, stdout } = await host.processes.run(argv, {
    timeout: COMPARE_SECONDS,
    accept: [DIFFERENT],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (exitCode === DIFFERENT) throw differs(`$ ${quoteCommand(argv)}\n${stdout.trim()}`);
}

const UNPACK: Readonly<Record<Compression, Argv>> = {
  gzip: ['gzip', '--decompress', '--stdout'],
  xz: ['xz', '--decompress', '--stdout'],
  zstd: ['zstd', '--decompress', '--stdout', '--quiet'],
};
const PIECE = 2 ** 20;

/** Unpacks a stream by its program and compares it with a disk. Throws `export-differs`. */
export async function compareStream(host: Host, source: DiskSource, path: string, compression: Compression, signal?: AbortSignal): Promise<void> {
  const unpack: Argv = [...UNPACK[compression], '--', path];
  await using running = attach(host, unpack, { stdout: 'pipe', stderr: 'pipe' });
  if (running.stdout === null) throw new Error('there is no pipe');
  const end = await compareBytes(source, running.stdout, signal);
  const { exitCode } = await running.ended;
  if (exitCode !== 0 || end !== undefined) throw differs(`$ ${quoteCommand(unpack)}\n${end ?? ''}\n${running.words()}`.trim());
}

/** What differs between a disk and a stream, in words; undefined where nothing does. */
async function compareBytes(source: DiskSource, stream: AsyncIterable<Buffer | string>, signal: AbortSignal | undefined): Promise<string | undefined> {
  const zeros = Buffer.alloc(PIECE);
  const pieces = piecesOf(source, PIECE);
  let expected: Buffer = Buffer.alloc(0);
  let position = 0;
  for await (const chunk of stream) {
    signal?.throwIfAborted();
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
    for (let at = 0; at < bytes.length;) {
      if (expected.length === 0) {
        const piece = pieces.next();
        if (piece.done === true) return `it goes on after ${position} bytes`;
        expected = piece.value.data ? await source.read(piece.value.start, piece.value.length) : zeros.subarray(0, piece.value.length);
      }
      const length = Math.min(expected.length, bytes.length - at);
      if (bytes.compare(expected, 0, length, at, at + length) !== 0) return `it differs between byte ${position} and byte ${position + length}`;
      expected = expected.subarray(length);
      at += length;
      position += length;
    }
  }
  return position === source.size ? undefined : `it ends after ${position} bytes of ${source.size}`;
}

function differs(detail: string): IngotError {
  return new IngotError('verification', 'export-differs', 'What was written does not read back as what it was made from', {
    detail,
    hint: 'Nothing was kept. Check the image with `ingot image verify` and the disk that was written to, then try again.',
  });
}
