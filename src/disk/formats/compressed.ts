import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, zstdCompress } from 'node:zlib';
import { attach } from '../../base/attached.ts';
import type { Host } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import type { Appender } from './appender.ts';
import { inOrder } from './in-order.ts';
import { piecesOf, type DiskSource } from './source.ts';

/*
 * Compressed streams, made of pieces that all cores compress at the same time: blocks of one gzip member, frames of zstd, streams of xz. Each is what its
 * format allows, and what its program unpacks. Pieces of zeros alone are compressed once.
 */

export type Compression = 'gzip' | 'xz' | 'zstd';

export interface CompressOptions {
  readonly compression: Compression;
  /** Pieces under way at the same time. */
  readonly width: number;
  readonly onProgress?: (percent: number) => void;
  readonly signal?: AbortSignal;
}

interface Compressor {
  /** Bytes that are compressed at once: more compress better, and take more memory. */
  readonly piece: number;
  compress(host: Pick<Host, 'processes' | 'machine'>, data: Buffer, signal: AbortSignal | undefined): Promise<Buffer>;
}

const deflated = promisify<Buffer, { level: number; finishFlush: number }, Buffer>(deflateRaw);
const zstd = promisify<Buffer, { params: Record<number, number> }, Buffer>(zstdCompress);

const COMPRESSORS: Readonly<Record<Compression, Compressor>> = {
  gzip: { piece: 2 ** 20, compress: (_host, data) => deflated(data, { level: 6, finishFlush: constants.Z_SYNC_FLUSH }) },
  zstd: {
    piece: 4 * 2 ** 20,
    compress: (_host, data) => zstd(data, { params: { [constants.ZSTD_c_compressionLevel]: 6, [constants.ZSTD_c_checksumFlag]: 1 } }),
  },
  xz: { piece: 16 * 2 ** 20, compress: compressXz },
};

/** Header of a gzip member without name and time, so that the same content gives the same bytes. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty last block. */
const GZIP_END = Buffer.from([0x03, 0x00]);

/** Writes what a disk holds, zeros included, compressed, to where `out` is. */
export async function writeCompressed(
  host: Pick<Host, 'processes' | 'machine'>,
  disk: DiskSource,
  out: Appender,
  { compression, width, onProgress, signal }: CompressOptions,
): Promise<void> {
  const { piece: size, compress } = COMPRESSORS[compression];
  const gzip = compression === 'gzip';
  const ofZeros = new Map<number, Promise<Buffer>>();
  const zeros = Buffer.alloc(Math.min(size, disk.size));
  const zerosOnce = (length: number): Promise<Buffer> => {
    const known = ofZeros.get(length) ?? compress(host, zeros.subarray(0, length), signal);
    ofZeros.set(length, known);
    return known;
  };
  let check = 0;
  let bytes = 0;
  if (gzip) await out.add(GZIP_HEADER);
  await inOrder(
    piecesOf(disk, size),
    width,
    async (piece) => {
      signal?.throwIfAborted();
      const data = piece.data ? await disk.read(piece.start, piece.length) : zeros.subarray(0, piece.length);
      return { data, packed: piece.data ? await compress(host, data, signal) : await zerosOnce(piece.length) };
    },
    async ({ data, packed }) => {
      if (gzip) check = crc32(data, check);
      bytes += data.length;
      await out.add(packed);
      onProgress?.((100 * bytes) / disk.size);
    },
  );
  if (!gzip) return;
  const end = Buffer.alloc(8);
  end.writeUInt32LE(check, 0);
  end.writeUInt32LE(bytes % 2 ** 32, 4);
  await out.add(Buffer.concat([GZIP_END, end]));
}

/** One stream of xz, by its program: Node knows none. */
async function compressXz(host: Pick<Host, 'processes' | 'machine'>, data: Buffer, signal: AbortSignal | undefined): Promise<Buffer> {
  const xz: Argv = ['xz', '--compress', '--stdout', '--threads=1', '-6'];
  const running = attach(host, xz, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
  const stop = (): void => running.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  const packed: Buffer[] = [];
  running.stdout?.on('data', (bytes: Buffer) => packed.push(bytes));
  // What it says when it ends early counts, not that it reads no more.
  running.stdin?.on('error', () => undefined).end(data);
  const { exitCode } = await running.ended;
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  if (exitCode === 0) return Buffer.concat(packed);
  throw await running.failure();
}
