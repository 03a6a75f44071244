import { copyFile, link } from 'node:fs/promises';
import { join } from 'node:path';
import { parseName } from '../../src/base/types.ts';
import { activePath, loadVm, rootDisk } from '../../src/platforms/local/vms.ts';
import { timed } from '../run-command.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { sampleLab } from './lab.ts';

/* Clones and snapshots of a stopped VM that has written much: what counts is how much is copied. The image itself is a sample of a few KiB. */

const WRITTEN_GIB = 10;
const SOURCE = parseName('source', 'a VM');

interface FullVm {
  readonly env: { readonly INGOT_HOME: string };
  /** The file that holds what was written. */
  readonly disk: string;
}

/** A VM whose disk has been written to, without booting it. */
async function fullVm(bench: Bench, name: string, gib: number): Promise<FullVm> {
  const { home, context, env } = await sampleLab(bench, name);
  await timed([bench.ingot, 'vm', 'create', SOURCE, '--image', 'sample', '--disk', `${gib + 1}GiB`, '--no-start', '--quiet'], env);
  const disk = activePath(home.vm(SOURCE), rootDisk(await loadVm(context.host, home, SOURCE)).active);
  const writes = Array.from({ length: gib * 4 }, (_, part) => ['-c', `write -P ${(part % 250) + 1} ${part * 256}M 256M`]).flat();
  await timed(['qemu-io', '-f', 'qcow2', ...writes, disk]);
  return { env, disk };
}

async function measureClone(bench: Bench): Promise<Measured> {
  const { env, disk } = await fullVm(bench, 'home-clone', WRITTEN_GIB);
  // The first clone freezes the file, which then has another name.
  const written = join(bench.folder, 'written.qcow2');
  await link(disk, written);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < bench.rounds; round++) {
    // What was written before is on the disk when either begins: ours waits for its own bytes to be there, a copy for none.
    await timed(['sync']);
    ours.push((await timed([bench.ingot, 'vm', 'clone', SOURCE, `clone-${round}`, '--linked', '--no-start', '--quiet'], env)).seconds);
    const start = performance.now();
    await copyFile(written, join(bench.folder, 'copy.qcow2'));
    theirs.push((performance.now() - start) / 1000);
  }
  return { unit: 's', ours, theirs, note: 'the first clone freezes the disk, those after it find it frozen' };
}

export const linkedClone: Row = {
  name: 'vm-clone',
  what: `linked clone of a stopped VM with ${WRITTEN_GIB} GiB written`,
  against: 'copying its disk',
  target: { ratio: 0.02 },
  measure: measureClone,
};

/** Snapshots of a disk of one GiB, each restored at once; `which` of the two is told. */
async function measureSnapshot(bench: Bench, which: 'create' | 'restore'): Promise<Measured> {
  const { env } = await fullVm(bench, `home-snapshot-${which}`, 1);
  const ours: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    for (const verb of ['create', 'restore'] as const) {
      const { seconds } = await timed([bench.ingot, 'vm', 'snapshot', verb, SOURCE, `round-${round}`, '--quiet'], env);
      if (verb === which) ours.push(seconds);
    }
  }
  return { unit: 's', ours, theirs: [] };
}

const snapshotRow = (which: 'create' | 'restore', what: string): Row => ({
  name: `vm-snapshot-${which}`,
  what,
  against: '-',
  target: { value: 1 },
  measure: (bench) => measureSnapshot(bench, which),
});

export const snapshotCreate = snapshotRow('create', 'snapshot of the disk of a stopped VM');
export const snapshotRestore = snapshotRow('restore', 'going back to it');
