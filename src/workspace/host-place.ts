import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { IngotError } from '../base/errors.ts';
import type { Argv, CommandResult } from '../base/process.ts';
import { formatSize, type HostPath } from '../base/types.ts';
import { chainArguments } from '../disk/blockdev.ts';
import type { Context } from '../operations/operation.ts';
import type { BackgroundCommand, Executor } from './executor.ts';
import { HelperExecutor, type HelperConnection } from './helper-executor.ts';
import type { AttachedDisk, AttachOptions, Place, PlaceOptions } from './place.ts';

declare const INGOT_HELPER: string | undefined;

/** The helper's file: a chunk of the bundle, else its source. */
export function helperFile(): string {
  const relative = typeof INGOT_HELPER === 'undefined' ? './helper.ts' : INGOT_HELPER;
  return fileURLToPath(new URL(relative, import.meta.url));
}

/** Seconds for the storage daemon to offer, and to let go of, a disk. */
const DAEMON_TIMEOUT = 20;

/**
 * Opens disks on this host. One process tree holds everything, so that killing ingot ends it and with the last process go the mounts
 * and loop devices: storage daemons run in the helper's mount namespace, the file systems that they serve are mounted in ones nested
 * in it. (A daemon that shares a mount namespace with a file system that it serves waits, when killed, for itself.)
 */
export async function openHostPlace(context: Pick<Context, 'host' | 'events' | 'signal'>, options: Omit<PlaceOptions, 'kind'>): Promise<Place> {
  const folder = join(options.scratch, 'place');
  await context.host.files.makeDirectory(folder);
  const executor = await startHostExecutor(context);
  let disks = 0;
  return {
    kind: 'host',
    executor,
    folder,
    sharesFolders: true,
    provide: (source) => Promise.resolve(source),
    attach: (disk) => attach(context, executor, disk, `disk-${(disks += 1)}`),
    room: () => mountRoom(context, executor, options.scratch),
    readDisk: async (raw, command, run) => void (await executor.run(command(raw), run)),
    network: () => Promise.resolve('/etc/resolv.conf'),
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  };
}

/**
 * Starts the helper as root in a PID and mount namespace of its own. As another user than root it goes through sudo,
 * which is said first; throws `root-needed` where sudo would need a password and nobody can be asked.
 */
async function startHostExecutor(context: Pick<Context, 'host' | 'events' | 'signal'>): Promise<Executor> {
  const { host } = context;
  const root = host.machine.uid === 0;
  const isolated = [
    ...['--json-status-fd', '2', '--die-with-parent', '--unshare-pid', '--unshare-ipc', '--dev-bind', '/', '/', '--proc', '/proc'],
    ...['--', process.execPath, helperFile()],
  ];
  if (!root) await checkSudo(context);
  // A session of its own: Ctrl-C in the terminal is for ingot, which has the helper take back what must not stay half done.
  const alone: Argv = ['setsid', '--wait', 'bwrap', ...isolated];
  const argv: Argv = root ? alone : ['sudo', '--', ...alone];
  const helper = host.processes.spawn(argv, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
  const { stdin, stdout, stderr } = helper;
  if (stdout === null || stderr === null || stdin === null) throw new Error('the helper has no pipes');
  const complaints: string[] = [];
  /** PID on the host of the namespace's first process. */
  let namespacePid: string | undefined;
  // bwrap reports its child's PID as a JSON line (--json-status-fd); all else on this stream is a complaint.
  createInterface({ input: stderr }).on('line', (line) => {
    const childPid = /^\{\s*"child-pid":\s*(\d+)/.exec(line)?.[1];
    if (childPid !== undefined) namespacePid = childPid;
    else if (!line.startsWith('{')) complaints.push(line);
  });
  const connection: HelperConnection = {
    input: stdin,
    output: stdout,
    ended: helper.ended,
    lastWords: () => Promise.resolve(complaints.join('\n')),
    terminalCommand: (command) => {
      const enter: Argv = ['nsenter', '--target', String(namespacePid), '--mount', '--pid', '--', ...command];
      return root ? enter : ['sudo', '--', ...enter];
    },
    close: async () => {
      stdin.end();
      await helper.ended;
    },
  };
  const executor = new HelperExecutor(connection, context.signal);
  await executor.run(['true']);
  return executor;
}

async function checkSudo(context: Pick<Context, 'host' | 'events'>): Promise<void> {
  const { processes } = context.host;
  const free = await processes.run(['sudo', '-n', 'true'], { accept: [1] }).catch(() => undefined);
  if (free === undefined || (free.exitCode !== 0 && !process.stdin.isTTY)) {
    throw new IngotError('host', 'root-needed', 'Opening disks on this host needs root', {
      hint: 'Use --workspace vm, or run it as root or in a terminal where sudo can ask for your password.',
    });
  }
  context.events.message('info', 'The workspace helper runs as root, through sudo; everything else stays yours.');
}

/** The root of a new image, its raw disk and their copies in memory; with less, they are kept on disk. */
const MEMORY_NEEDED = 4 * 2 ** 30;
/** Bytes; the file is sparse. */
const ROOM = 16 * 2 ** 30;

/** A file system in memory where there is enough, else in a file of the scratch folder; gone with the helper either way. */
async function mountRoom({ host, events }: Pick<Context, 'host' | 'events'>, executor: Executor, scratch: HostPath): Promise<string> {
  const folder = join(scratch, 'room');
  await host.files.makeDirectory(folder);
  if (host.machine.freeMemory() >= MEMORY_NEEDED) {
    await executor.run(['mount', '-t', 'tmpfs', '-o', 'mode=0755,size=90%', 'ingot', folder]);
    return folder;
  }
  events.message('info', `Less than ${formatSize(MEMORY_NEEDED)} of memory is free: working on disk, which is slower.`);
  const image = join(scratch, 'room.img');
  await host.files.write(image, '');
  await host.files.truncate(image, ROOM);
  await executor.run(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-m', '0', image]);
  await executor.run(['mount', '-o', 'loop,noatime', image, folder]);
  return folder;
}

/** Starts a storage daemon with the overlay as a file, through FUSE. */
async function attach(context: Pick<Context, 'host'>, executor: Executor, options: AttachOptions, name: string): Promise<AttachedDisk> {
  const path = join(options.scratch, name);
  const top = 'disk';
  await context.host.files.write(path, '');
  const daemon = await executor.start([
    'qemu-storage-daemon',
    ...chainArguments([...options.chain, options.overlay], { top, writable: true, flag: '--blockdev', cache: 'unsafe' }),
    '--export',
    `type=fuse,id=export,node-name=${top},mountpoint=${path},writable=on`,
  ]);
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await stopDaemon(executor, daemon);
  };
  await using undo = new AsyncDisposableStack();
  undo.defer(() => close().catch(() => daemon.kill()));
  const ready = executor.run(['sh', '-c', 'until [ "$(stat -c %s "$1")" -gt 0 ]; do sleep 0.01; done', 'sh', path], { timeout: DAEMON_TIMEOUT });
  const failed = daemon.ended.then((result: CommandResult): never => {
    closed = true;
    throw new IngotError('host', 'workspace-lost', 'The storage daemon could not open the disk', { detail: `${result.stdout}${result.stderr}`.trim() });
  });
  failed.catch(() => undefined);
  await Promise.race([ready, failed]);
  const owned = undo.move();
  return {
    path,
    detach: async () => {
      await close();
      await executor.run(['qemu-img', 'check', '-q', '-U', options.overlay]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function stopDaemon(executor: Executor, daemon: BackgroundCommand): Promise<void> {
  await executor.run(['kill', '-TERM', String(daemon.pid)]);
  const result = await Promise.race([daemon.ended, sleep(DAEMON_TIMEOUT * 1000, undefined, { ref: false })]);
  if (result === undefined || result.exitCode !== 0) {
    throw new IngotError('host', 'workspace-lost', 'The storage daemon did not close the disk cleanly', {
      detail: result === undefined ? `It was still there after ${DAEMON_TIMEOUT} s.` : result.stderr.trim(),
    });
  }
}
