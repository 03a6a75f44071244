import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { accelerator } from '../../src/platforms/local/accelerator.ts';
import { BASE, BUILD, exportedBase, fill, fillHelperVm, newHome } from '../homes.ts';
import { packerBuild, packerMissing } from '../peers/packer.ts';
import { prepareVirtCustomize, virtCustomizeBuild, virtCustomizeMissing } from '../peers/virt-customize.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * The package docker.io on a base that is there, with all packages downloaded for both: what somebody waits for who adds one thing to an
 * image. An earlier build had the same packages, as in any layer that is made again; the others get the very .deb files.
 */

const WHAT = [BASE, '--package', 'docker.io'] as const;

interface Inputs {
  readonly base: HostPath;
  readonly debs: readonly HostPath[];
}

let inputs: Inputs | undefined;
/** Seconds of the others by round: one that took six minutes is not run again for a second row. */
const packerSeconds: number[] = [];

async function prepared(bench: Bench): Promise<Inputs> {
  return (inputs ??= { debs: await fill(bench, WHAT), base: await exportedBase(bench) });
}

async function ours(bench: Bench, round: number, workspace: 'host' | 'vm'): Promise<number> {
  const env = await newHome(bench, `docker-${workspace}`, 'base');
  bench.say(`round ${round}: ingot build ${WHAT.join(' ')} --workspace ${workspace}`);
  return (await timed([bench.ingot, 'build', ...WHAT, '--workspace', workspace, ...BUILD], env)).seconds;
}

async function packer(bench: Bench, round: number): Promise<number> {
  const known = packerSeconds[round - 1];
  if (known !== undefined) return known;
  const { base, debs } = await prepared(bench);
  bench.say(`round ${round}: Packer's QEMU builder`);
  const seconds = await packerBuild(bench, String(round), base, debs);
  packerSeconds[round - 1] = seconds;
  await rm(join(bench.folder, `packer-${round}`), { recursive: true });
  return seconds;
}

async function virtCustomize(bench: Bench, round: number): Promise<number> {
  const { base, debs } = await prepared(bench);
  if (round === 1) await prepareVirtCustomize(bench);
  bench.say(`round ${round}: virt-customize`);
  const seconds = await virtCustomizeBuild(bench, String(round), base, debs);
  await rm(join(bench.folder, `virt-customize-${round}`), { recursive: true });
  return seconds;
}

async function rounds(bench: Bench, workspace: 'host' | 'vm', theirs: (bench: Bench, round: number) => Promise<number>): Promise<Measured> {
  const measured = { ours: [] as number[], theirs: [] as number[] };
  const { debs } = await prepared(bench);
  for (let round = 1; round <= bench.rounds; round++) {
    measured.theirs.push(await theirs(bench, round));
    measured.ours.push(await ours(bench, round, workspace));
  }
  const host = realHost();
  const { kind } = await accelerator({ host, home: await openHome(host, hostPath(join(bench.folder, 'home-accelerator'))) });
  return { unit: 's', ...measured, note: `${debs.length} packages, large ones in the quick form that an earlier build left; guests with ${kind}` };
}

export const dockerPacker: Row = {
  name: 'docker-packer',
  what: 'docker.io on a cached base',
  against: "Packer's QEMU builder",
  target: { ratio: 0.05 },
  measure: async (bench) => (await packerMissing()) ?? (await rounds(bench, 'host', packer)),
};

export const dockerVirtCustomize: Row = {
  name: 'docker-virt-customize',
  what: 'docker.io on a cached base',
  against: 'virt-customize',
  target: { ratio: 0.05 },
  measure: async (bench) => (await virtCustomizeMissing()) ?? (await rounds(bench, 'host', virtCustomize)),
};

/** The helper VM is made and saved before the clock runs: `helper-vm-start` says what that saves. */
export const dockerVm: Row = {
  name: 'docker-vm-packer',
  what: 'docker.io on a cached base, helper VM',
  against: "Packer's QEMU builder",
  target: { ratio: 0.7 },
  measure: async (bench) => {
    const missing = await packerMissing();
    if (missing !== undefined) return missing;
    await prepared(bench);
    await fillHelperVm(bench);
    return await rounds(bench, 'vm', packer);
  },
};
