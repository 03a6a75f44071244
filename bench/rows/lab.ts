import { join } from 'node:path';
import { openHome, type Home } from '../../src/base/home.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { realHost } from '../../src/base/host.ts';
import { hostPath, parseName } from '../../src/base/types.ts';
import { guestFiles } from '../../src/platforms/local/guest-spec.ts';
import { createVms } from '../../src/platforms/local/create-many.ts';
import { deleteVm } from '../../src/platforms/local/remove.ts';
import { Events } from '../../src/base/events.ts';
import type { LabContext } from '../../src/platforms/local/view.ts';
import { putSampleImage } from '../../tests/support/sample-images.ts';
import { openStore } from '../../src/store/store.ts';
import { timed } from '../run-command.ts';
import type { Bench, Measured, Row } from '../row.ts';

/*
 * The lab with many VMs. They stand on a sample image of a few KiB, which is no other for making and listing them than a large one: a disk is an
 * empty overlay, and nothing is read of the image but its header.
 */

const MANY = 20;
const LISTED = 200;
const RUNNING = 20;

export interface SampleLab {
  readonly home: Home;
  readonly context: LabContext;
  readonly env: { readonly INGOT_HOME: string };
}

/** A home of its own with one small image. */
export async function sampleLab(bench: Bench, name: string): Promise<SampleLab> {
  const host = realHost();
  const root = hostPath(join(bench.folder, name));
  const home = await openHome(host, root);
  await putSampleImage(openStore(host, home), home, 'sample', ['latest']);
  const context: LabContext = {
    host,
    home,
    settings: builtInSettings(home),
    events: new Events('bench', () => undefined, host),
    signal: new AbortController().signal,
  };
  return { home, context, env: { INGOT_HOME: root } };
}

async function measureCreate(bench: Bench): Promise<Measured> {
  const { env } = await sampleLab(bench, 'home-many');
  const ours: number[] = [];
  for (let round = 0; round <= bench.rounds; round++) {
    const command = ['vm', 'create', `round-${round}`, '--count', String(MANY), '--image', 'sample', '--no-start', '--quiet'];
    ours.push((await timed([bench.ingot, ...command], env)).seconds);
  }
  return { unit: 's', ours: ours.slice(1), theirs: [], note: 'after a first one, which makes the SSH key; those of earlier rounds stay' };
}

export const createMany: Row = {
  name: 'vm-create-many',
  what: `${MANY} VMs created (not booted), one command`,
  against: '-',
  target: { value: 5 },
  measure: measureCreate,
};

async function measureList(bench: Bench): Promise<Measured> {
  const { home, context, env } = await sampleLab(bench, 'home-vms');
  const request = { cpus: 1, memory: 2 ** 26, disk: undefined, firmware: undefined, sshPort: undefined, userData: undefined, start: false, force: false };
  const vms = await createVms(context, { ...request, name: parseName('vm', 'a VM'), image: 'sample' }, { count: LISTED, unique: false });
  const stopping: (() => Promise<void>)[] = [];
  try {
    for (const { name } of vms.slice(0, RUNNING)) {
      const files = guestFiles(home.vm(parseName(name, 'a VM')));
      // A machine without a disk whose processor never starts: what a listing sees of a running VM is its process.
      const machine = ['-M', 'pc,accel=tcg', '-m', '16', '-S', '-nodefaults', '-display', 'none'];
      await timed(['qemu-system-x86_64', '-name', name, ...machine, '-qmp', `unix:${files.qmp},server=on,wait=off`, '-daemonize', '-pidfile', files.pid]);
      stopping.push(() => deleteVm(context, parseName(name, 'a VM'), { force: true }));
    }
    const ours: number[] = [];
    for (let round = 0; round <= 10; round++) {
      const { seconds, stdout } = await timed([bench.ingot, 'vm', 'list'], env);
      // Their processors were never started, which a listing calls paused.
      const running = stdout.split('\n').filter((line) => / paused /.test(line)).length;
      if (running !== RUNNING) throw new Error(`${running} VMs run, and ${RUNNING} should`);
      ours.push(seconds);
    }
    return { unit: 's', ours: ours.slice(1), theirs: [], note: 'the running ones are QEMUs of 16 MiB that were started with -S' };
  } finally {
    for (const stop of stopping) await stop();
  }
}

export const listMany: Row = {
  name: 'vm-list',
  what: `vm list with ${LISTED} VMs (${RUNNING} running)`,
  against: '-',
  target: { value: 0.3 },
  measure: measureList,
};
