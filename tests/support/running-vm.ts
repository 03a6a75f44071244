import { createServer, type Server } from 'node:net';
import * as z from 'zod';
import type { Host } from '../../src/base/host.ts';
import type { Argv, CommandOptions, CommandResult } from '../../src/base/process.ts';
import { parseName, type Name } from '../../src/base/types.ts';
import { createVm } from '../../src/platforms/local/create.ts';
import { guestFiles, type GuestFiles } from '../../src/platforms/local/guest-spec.ts';
import type { LabContext } from '../../src/platforms/local/view.ts';
import { newVm, type SampleLab } from './lab.ts';

const commandSchema = z.object({ execute: z.string(), id: z.int(), arguments: z.record(z.string(), z.unknown()).optional() });

export interface RunningVmAnswers {
  /** What QEMU's monitor answers to a command. */
  readonly monitor?: (command: string, parameters: Readonly<Record<string, unknown>>) => unknown;
  /** What a program of this host (ssh, scp) says and ends with. */
  readonly run?: (argv: Argv, options: CommandOptions) => Partial<CommandResult> | Promise<Partial<CommandResult>>;
}

export interface RunningVm extends AsyncDisposable {
  readonly name: Name;
  readonly files: GuestFiles;
  readonly host: Host;
  readonly context: LabContext;
  /** Makes it look as if it had ended. */
  end(): Promise<void>;
}

/**
 * A VM of the sample lab that seems to run: this process stands for its QEMU, its monitor is served, and an SSH server introduces itself on its
 * port. Its clock jumps where somebody waits.
 */
export async function runningVm(lab: SampleLab, name: string, answers: RunningVmAnswers = {}): Promise<RunningVm> {
  const vm = await createVm(lab.context(), newVm(name));
  const files = guestFiles(lab.home.home.vm(parseName(name, 'a VM')));
  await lab.host.files.write(files.pid, `${process.pid}\n`);
  await lab.host.files.write(files.ready, String(process.pid));
  const ssh = await listen(
    createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-sample\r\n')),
    { host: '127.0.0.1', port: vm.ssh.port },
  );
  const monitor = await listen(monitorServer(answers.monitor ?? ((command) => (command === 'query-status' ? { status: 'running' } : {}))), { path: files.qmp });
  const host = hostOf(lab.host, files, answers.run ?? (() => ({})));
  return {
    name: parseName(name, 'a VM'),
    files,
    host,
    context: lab.context(host),
    end: () => lab.host.files.remove(files.pid),
    [Symbol.asyncDispose]: async () => {
      ssh.close();
      monitor.close();
    },
  };
}

async function listen(server: Server, where: { host: string; port: number } | { path: string }): Promise<Server> {
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(where, listening.resolve);
  await listening.promise;
  return server;
}

function monitorServer(answer: NonNullable<RunningVmAnswers['monitor']>): Server {
  return createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\n');
    socket.on('data', (data) => {
      for (const line of String(data).trim().split('\n')) {
        const { execute, id, arguments: parameters = {} } = commandSchema.parse(JSON.parse(line));
        socket.write(`${JSON.stringify({ return: execute === 'qmp_capabilities' ? {} : answer(execute, parameters), id })}\n`);
      }
    });
  });
}

function hostOf(base: Host, guest: GuestFiles, run: NonNullable<RunningVmAnswers['run']>): Host {
  let time = 0;
  return {
    ...base,
    // Another architecture than any guest's: nothing is probed.
    machine: { ...base.machine, arch: 's390x', platform: 'linux' },
    clock: { ...base.clock, monotonic: () => time, sleep: async (seconds) => void (time += seconds * 1000) },
    files: {
      ...base.files,
      read: async (path) => {
        if (path === `/proc/${process.pid}/cmdline`) return Buffer.from(`qemu-system-x86_64\0-pidfile\0${guest.pid}\0`);
        if (path === `/proc/${process.pid}/stat`) return Buffer.from(`${process.pid} (qemu) S ${'0 '.repeat(10)}${100 + time / 10} 50 0`);
        if (path === `/proc/${process.pid}/status`) return Buffer.from('Name:\tqemu\nVmRSS:\t    2048 kB\n');
        return base.files.read(path);
      },
      status: (path) => base.files.status(path.includes('/qemu-system-') ? process.execPath : path),
    },
    processes: {
      ...base.processes,
      run: async (argv, options = {}) => {
        const result = { stdout: '', stderr: '', exitCode: 0, ...(await run(argv, options)) };
        return result;
      },
    },
  };
}
