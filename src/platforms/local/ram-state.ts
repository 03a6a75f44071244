import { open } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { hashValue } from '../../base/hash.ts';
import type { Host } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { bootId, qemuFile } from './accelerator.ts';
import type { Accelerator, Architecture } from './guest-spec.ts';
import type { QmpClient } from './qmp.ts';

/*
 * The state of a running machine without its disks (memory, processors, devices) in a file, as QEMU's migration writes it (QEMU:
 * docs/devel/migration). Any number of machines can start from one file, which they only read.
 *
 * It is written through a socket to this process, which every QEMU can. It is read from QEMU's standard input, which needs no copy and no
 * right to open files; newer versions want the file's name instead.
 */

/** Seconds for writing, and for reading, a state. */
const LIMIT_SECONDS = 120;
/** From this version on a file is named; its standard input still works, but is called deprecated (QEMU: docs/about/deprecated.rst). */
const FILE_SINCE = { major: 9, minor: 1 };

/** Beside the state's file: how it was when it was whole. */
const sealSchema = z.object({ v: z.literal(1), size: z.number(), modified: z.number() });

export interface MachineShape {
  readonly arch: Architecture;
  readonly accelerator: Pick<Accelerator, 'kind'>;
  /** All else that the machine consists of: type, devices, memory, what it booted. */
  readonly machine: unknown;
}

/**
 * Names the states that can be restored here: a state fits the QEMU that wrote it, the same machine, and with hardware assistance the
 * same processor under the same kernel.
 */
export async function ramStateKey(host: Host, shape: MachineShape): Promise<string> {
  const hardware = shape.accelerator.kind === 'tcg' ? [] : [await bootId(host), host.machine.cpus];
  return hashValue([1, await qemuFile(host, shape.arch), shape, ...hardware]).slice(0, 16);
}

/** Whether a whole state is in this file: it has not changed since it was written. */
export async function hasRamState(host: Pick<Host, 'files'>, path: HostPath): Promise<'whole' | 'changed' | 'missing'> {
  const [status, text] = await Promise.all([host.files.status(path), readTextIfThere(host.files, sealOf(path))]);
  if (status === undefined || text === undefined) return status === undefined && text === undefined ? 'missing' : 'changed';
  const seal = sealSchema.safeParse(parseJson(text));
  return seal.success && seal.data.size === status.size && seal.data.modified === status.modified.getTime() ? 'whole' : 'changed';
}

/** Removes a state. Machines that are being restored from it go on. */
export async function removeRamState(host: Pick<Host, 'files'>, path: HostPath): Promise<void> {
  await host.files.remove(sealOf(path));
  await host.files.remove(path);
}

export interface RestoreOptions {
  readonly signal?: AbortSignal;
  /** The memory is a file of its own (GuestSpec.memoryFile), which the state leaves out. */
  readonly memoryApart?: boolean;
  /** Called when the state is in the machine, which has done nothing yet. */
  readonly beforeGoOn?: () => Promise<void>;
}

export interface SaveOptions extends Pick<RestoreOptions, 'signal' | 'memoryApart'> {
  /** A path for a socket, for the time being. */
  readonly socket: HostPath;
}

/**
 * Stops a machine, writes its state to a file (by a temporary one), and leaves it stopped: `cont` lets it go on. Returns
 * the state's size. Throws `ram-state-unsaved`.
 */
export async function saveRamState(host: Host, qmp: QmpClient, target: HostPath, options: SaveOptions): Promise<number> {
  const temporary = hostPath(`${target}.tmp-${process.pid}`);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => host.files.remove(temporary));
  const connection = Promise.withResolvers<Socket>();
  const server = createServer((socket) => connection.resolve(socket));
  stack.defer(() => void server.close());
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.socket, resolve));
  stack.defer(() => host.files.remove(options.socket));
  const written = writeTo(connection.promise, temporary);
  let unwritten: unknown;
  written.catch((error: unknown) => (unwritten = error)); // awaited below
  if (options.memoryApart === true) await leaveMemoryOut(qmp);
  await qmp.execute('stop');
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  await qmp.execute('migrate', { uri: `unix:${options.socket}` }, LIMIT_SECONDS);
  try {
    await migrated(host, qmp, 'ram-state-unsaved', options.signal);
  } catch (error) {
    // Where the file could not be written, QEMU only knows that nobody listens any more.
    throw unwritten ?? error;
  }
  await written;
  const status = await host.files.status(temporary);
  await removeRamState(host, target);
  await host.files.rename(temporary, target);
  await host.files.sync(dirname(target));
  await replaceFile(host.files, sealOf(target), JSON.stringify({ v: 1, size: status?.size, modified: status?.modified.getTime() }));
  return status?.size ?? 0;
}

/**
 * Restores a state in a QEMU that was started with `-incoming defer` and the state's file as its standard input, and lets the machine go
 * on, after `beforeGoOn`: until then it has done nothing. Throws `ram-state-refused`, where QEMU may have ended.
 */
export async function restoreRamState(host: Host, qmp: QmpClient, path: HostPath, options: RestoreOptions = {}): Promise<void> {
  const { major, minor } = qmp.version;
  const byName = major > FILE_SINCE.major || (major === FILE_SINCE.major && minor >= FILE_SINCE.minor);
  try {
    if (options.memoryApart === true) await leaveMemoryOut(qmp);
    await qmp.execute('migrate-incoming', { uri: byName ? `file:${path}` : 'fd:0' }, LIMIT_SECONDS);
    await migrated(host, qmp, 'ram-state-refused', options.signal);
    await options.beforeGoOn?.();
    await qmp.execute('cont', undefined, LIMIT_SECONDS);
  } catch (error) {
    if (!(error instanceof IngotError) || !['qemu-gone', 'qemu-refused'].includes(error.code)) throw error;
    throw new IngotError('host', 'ram-state-refused', `QEMU did not accept the saved state: ${error.message}`, { cause: error });
  }
}

/** Memory that is shared with a file is not in the state; whoever restores it has the file. (QEMU: qapi/migration.json, x-ignore-shared.) */
async function leaveMemoryOut(qmp: QmpClient): Promise<void> {
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'x-ignore-shared', state: true }] });
}

const POLL_SECONDS = 0.01;
const migrationSchema = z.object({ status: z.string().optional(), 'error-desc': z.string().optional() });

async function migrated(host: Host, qmp: QmpClient, code: string, signal: AbortSignal | undefined): Promise<void> {
  const limit = host.clock.monotonic() + LIMIT_SECONDS * 1000;
  for (;;) {
    const { status, 'error-desc': description } = migrationSchema.parse(await qmp.execute('query-migrate', undefined, LIMIT_SECONDS));
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled') throw new IngotError('host', code, `QEMU could not move the machine's state: ${description ?? status}`);
    if (host.clock.monotonic() > limit) throw new IngotError('timeout', code, `QEMU did not move the machine's state within ${LIMIT_SECONDS} s`);
    await host.clock.sleep(POLL_SECONDS, signal);
  }
}

async function writeTo(connection: Promise<Socket>, path: HostPath): Promise<void> {
  const socket = await connection;
  // A machine's memory can hold anything: nobody else may read it.
  await using file = await open(path, 'wx', 0o600);
  for await (const part of socket) await file.write(part);
  await file.sync();
}

/** The file beside a state that tells how it was when it was whole. */
export function sealOf(path: HostPath): HostPath {
  return hostPath(`${path}.json`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // counts as changed
  }
}
