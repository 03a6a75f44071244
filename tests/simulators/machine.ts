import { execFile, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { accelerator } from '../../src/platforms/local/accelerator.ts';
import { withAgent } from '../../src/platforms/local/agent.ts';
import { acceleratorArguments } from '../../src/platforms/local/qemu-arguments.ts';

/*
 * A machine of a simulated platform that really boots: QEMU with the hardware that the platform was asked for, on the bytes that it was given. It is reached at
 * an address that the loopback interface gets for as long as it runs (192.0.2.0/24, which belongs to documentation).
 */

const run = promisify(execFile);

export interface BootedMachine {
  /** Whether its guest agent answers by now. */
  agent(): boolean;
  addresses(): string[];
  /** Bytes that it has written to its console. */
  said(): number;
  /** Pulls the plug. */
  stop(): Promise<void>;
}

export interface MachineRequest {
  readonly name: string;
  /** Where overlays, console and sockets lie. */
  readonly folder: HostPath;
  readonly home: HostPath;
  readonly machine: 'q35' | 'pc';
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** Disks and drives, as words for QEMU. */
  readonly devices: readonly string[];
  /** The model of its network card, as QEMU names it. */
  readonly card: string;
  readonly address: string;
}

/** Gives the loopback interface an address. Needs root. */
async function withAddress(address: string): Promise<void> {
  await run('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo']);
}

async function withoutAddress(address: string): Promise<void> {
  await run('ip', ['address', 'del', `${address}/32`, 'dev', 'lo']).catch(() => undefined);
}

/** A disk that is written to, on one that stays as it is; the same path again goes on with what was written. Bytes. */
export async function overlayOn(path: string, file: string, format: 'qcow2' | 'raw', size: number): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there) await run('qemu-img', ['resize', '-f', 'qcow2', path, String(size)]).catch(() => undefined);
  else await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', file, '-F', format, path, String(size)]);
}

/** Starts it. Ends with this process at the latest. */
export async function bootMachine(request: MachineRequest): Promise<BootedMachine> {
  const { name, folder, home, address } = request;
  const host = realHost();
  const found = await accelerator({ host, home: await openHome(host, home) });
  const agentSocket = hostPath(join(folder, `${name}.agent`));
  await withAddress(address);
  const argv = [
    ...['-name', name, '-nodefaults', '-no-user-config', '-display', 'none', '-machine', request.machine, ...acceleratorArguments(found)],
    ...['-smp', String(request.cpus), '-m', `${request.memory}M`, '-rtc', 'base=utc', ...request.devices],
    ...['-netdev', `user,id=net0,hostfwd=tcp:${address}:22-:22`, '-device', `${request.card},netdev=net0,romfile=`, '-device', 'virtio-rng-pci'],
    ...['-chardev', `socket,id=agent,path=${agentSocket},server=on,wait=off`, '-device', 'virtio-serial-pci'],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', `file,id=serial,path=${join(folder, `${name}.console`)},append=on`, '-serial', 'chardev:serial'],
  ];
  const guest = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = (): void => void guest.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  guest.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const ended = new Promise<void>((resolve) => guest.once('close', () => resolve()));
  let [answers, stopped] = [false, false];
  const watch = async (): Promise<void> => {
    while (!stopped && guest.exitCode === null) {
      answers = await withAgent(host, agentSocket, (agent) => agent.execute('guest-ping'), { seconds: 5 }).then(
        () => true,
        () => false,
      );
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    answers = false;
  };
  void watch();
  await new Promise((resolve) => setTimeout(resolve, 500));
  if (guest.exitCode !== null) throw new Error(`QEMU ended with ${guest.exitCode}: ${said}`);
  return {
    agent: () => answers,
    addresses: () => [address],
    said: () => statSync(join(folder, `${name}.console`), { throwIfNoEntry: false })?.size ?? 0,
    async stop() {
      stopped = true;
      kill();
      await ended;
      process.removeListener('exit', kill);
      await withoutAddress(address);
    },
  };
}
