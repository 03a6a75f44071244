import { existsSync } from 'node:fs';
import * as z from 'zod';
import type { Host } from '../../src/base/host.ts';
import { hostProcesses } from '../../src/base/process.ts';
import { parseName, type Name } from '../../src/base/types.ts';
import { createVm } from '../../src/platforms/local/create.ts';
import { guestFiles } from '../../src/platforms/local/guest-spec.ts';
import { endQemu } from '../../src/platforms/local/qemu-process.ts';
import { QmpClient } from '../../src/platforms/local/qmp.ts';
import type { LabContext } from '../../src/platforms/local/view.ts';
import { loadVm, vmNames, vmPid, type VmRecord } from '../../src/platforms/local/vms.ts';
import { newVm, sampleLab, type SampleLab } from './lab.ts';

/** Why machines cannot run here, or undefined: for the names of tests that are skipped. */
export function noMachines(): string | undefined {
  const missing = ['/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-img', '/usr/bin/ssh-keygen'].filter((path) => !existsSync(path));
  return missing.length === 0 ? undefined : `${missing.join(', ')} missing`;
}

/** A lab whose VMs are real machines of QEMU without any system on their disks: they start in a moment, and do nothing. */
export interface MachineLab extends AsyncDisposable {
  readonly lab: SampleLab;
  readonly host: Host;
  readonly context: LabContext;
  /** Makes a small VM and starts it. */
  start(name: string, more?: Parameters<typeof newVm>[1]): Promise<VmRecord>;
  load(name: Name): Promise<VmRecord>;
  /** Writes a byte all over the first cluster of a running machine's disk, as its guest would. */
  write(name: Name, byte: number): Promise<void>;
  /** Whether the first cluster of a running machine's disk holds nothing but this byte. */
  holds(name: Name, byte: number): Promise<boolean>;
  /** The node that a running machine's disk writes to, its size, and QEMU's word for how it is. */
  look(name: Name): Promise<{ readonly node: string; readonly size: number; readonly status: string }>;
}

const blocksSchema = z.array(
  z.object({ qdev: z.string().optional(), inserted: z.object({ 'node-name': z.string(), image: z.object({ 'virtual-size': z.number() }) }).optional() }),
);

/** Makes such a lab; its machines end with it. */
export async function machineLab(): Promise<MachineLab> {
  const lab = await sampleLab();
  const host: Host = { ...lab.host, processes: hostProcesses };
  const context = lab.context(host);
  const { home } = lab.home;
  const qemuIo = async (name: Name, command: string): Promise<string> => {
    using qmp = await QmpClient.connect(guestFiles(home.vm(name)).qmp);
    const line = `qemu-io -d /machine/peripheral/disk-root/virtio-backend "${command}"`;
    return String(await qmp.execute('human-monitor-command', { 'command-line': line }, 30));
  };
  return {
    lab,
    host,
    context,
    async start(name, more = {}) {
      return createVm(context, newVm(name, { cpus: 1, memory: 64 * 2 ** 20, start: true, force: true, ...more }));
    },
    load: (name) => loadVm(host, home, name),
    async write(name, byte) {
      const said = await qemuIo(name, `write -P ${byte} 0 64k`);
      if (/failed|error/i.test(said)) throw new Error(said);
    },
    holds: async (name, byte) => !/failed|error/i.test(await qemuIo(name, `read -P ${byte} 0 64k`)),
    async look(name) {
      using qmp = await QmpClient.connect(guestFiles(home.vm(name)).qmp);
      const blocks = blocksSchema.parse(await qmp.execute('query-block'));
      const root = blocks.find(({ qdev }) => qdev?.startsWith('/machine/peripheral/disk-root/'))?.inserted;
      const { status } = z.object({ status: z.string() }).parse(await qmp.execute('query-status'));
      return { node: root?.['node-name'] ?? '', size: root?.image['virtual-size'] ?? 0, status };
    },
    async [Symbol.asyncDispose]() {
      for (const name of await vmNames(host, home)) {
        const pid = await vmPid(host, home, parseName(name, 'a VM'));
        if (pid !== undefined) await endQemu(host, guestFiles(home.vm(name)).pid, pid);
      }
      await lab[Symbol.asyncDispose]();
    },
  };
}
