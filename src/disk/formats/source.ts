import { join } from 'node:path';
import * as z from 'zod';
import { attach } from '../../base/attached.ts';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { quoteCommand, type Argv } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';
import { NbdClient } from './nbd.ts';

/** A part of a disk, in bytes. */
export interface Extent {
  readonly start: number;
  readonly length: number;
}

/** A disk that is read piece by piece, in any order and at the same time. */
export interface DiskSource extends AsyncDisposable {
  readonly size: number;
  /** Where there is anything but zeros, in order, none touching the next. */
  readonly data: readonly Extent[];
  read(position: number, length: number): Promise<Buffer>;
}

/** Longest path of a socket (107 bytes on Linux, 103 on macOS). */
const LONGEST_PATH = 103;
/** Seconds until the server of a disk answers. */
const START_SECONDS = 30;
const RETRY_SECONDS = 0.02;
const MAP_SECONDS = 600;

const mapSchema = z.array(z.object({ start: z.int(), length: z.int(), data: z.boolean(), zero: z.boolean() }));

/**
 * Opens a block device graph (see `chainGraph`) for reading, by a qemu-nbd on a socket in a scratch folder, which dies with this process. Throws
 * `disk-lost` with what it said, `path-too-long`.
 */
export async function openSource(host: Host, graph: object, scratch: HostPath, signal?: AbortSignal): Promise<DiskSource> {
  const socket = join(scratch, 'disk.nbd');
  if (Buffer.byteLength(socket) > LONGEST_PATH) {
    throw new IngotError('host', 'path-too-long', `The path ${socket} is too long for a socket`, { hint: 'Set INGOT_HOME to a folder with a shorter path.' });
  }
  const file = `json:${JSON.stringify(graph)}`;
  const serve: Argv = ['qemu-nbd', '--read-only', '--persistent', '--shared=2', `--socket=${socket}`, file];
  await using undo = new AsyncDisposableStack();
  undo.defer(() => host.files.remove(socket));
  const server = undo.use(attach(host, serve, { stderr: 'pipe' }));
  const state = { ended: false };
  void server.ended.then(() => (state.ended = true));
  const failure = (why: string): IngotError =>
    new IngotError('host', 'disk-lost', `The disk cannot be opened: ${why}`, { detail: `$ ${quoteCommand(serve)}\n${server.words()}` });
  const [client, map] = await Promise.all([
    connectWithin(host, socket, state, failure, signal),
    host.processes.run(['qemu-img', 'map', '--output=json', file], { timeout: MAP_SECONDS, ...(signal === undefined ? {} : { signal }) }),
  ]);
  undo.defer(() => client.close());
  const extents = mapSchema.parse(JSON.parse(map.stdout));
  const owned = undo.move();
  return {
    size: client.size,
    data: dataOf(extents),
    read: (position, length) => client.read(position, length),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function connectWithin(
  host: Host,
  socket: string,
  state: { readonly ended: boolean },
  failure: (why: string) => IngotError,
  signal: AbortSignal | undefined,
): Promise<NbdClient> {
  const limit = host.clock.monotonic() + START_SECONDS * 1000;
  for (;;) {
    signal?.throwIfAborted();
    if (state.ended) throw failure('its server ended');
    try {
      return await NbdClient.connect(socket);
    } catch (error) {
      if (error instanceof IngotError) throw error;
      if (host.clock.monotonic() > limit) throw failure(`its server did not answer within ${START_SECONDS} s`);
    }
    await host.clock.sleep(RETRY_SECONDS, signal);
  }
}

/** The parts of a map that hold data, joined where they touch. */
export function dataOf(extents: readonly (Extent & { readonly data: boolean; readonly zero: boolean })[]): Extent[] {
  const joined: { start: number; length: number }[] = [];
  for (const { start, length, data, zero } of extents) {
    if (!data || zero || length === 0) continue;
    const last = joined.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += length;
    else joined.push({ start, length });
  }
  return joined;
}

/** The pieces of a disk, each starting at a multiple of `size`, in order, and whether any data is in them. */
export function* piecesOf(disk: Pick<DiskSource, 'size' | 'data'>, size: number): Generator<Extent & { readonly data: boolean }> {
  let next = 0;
  for (let start = 0; start < disk.size; start += size) {
    const length = Math.min(size, disk.size - start);
    for (let extent = disk.data[next]; extent !== undefined && extent.start + extent.length <= start; extent = disk.data[next]) next++;
    const extent = disk.data[next];
    yield { start, length, data: extent !== undefined && extent.start < start + length };
  }
}
