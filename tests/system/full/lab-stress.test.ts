import { randomInt } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostProcesses } from '../../../src/base/process.ts';
import { parseName } from '../../../src/base/types.ts';
import { chainGraph } from '../../../src/disk/convert.ts';
import { frozenFilesOf, sweepFrozen } from '../../../src/platforms/local/frozen.ts';
import { activePath, diskChain, loadVms, rootDisk, vmPid, type VmRecord } from '../../../src/platforms/local/vms.ts';
import { openStore } from '../../../src/store/store.ts';
import { putSampleImage } from '../../support/sample-images.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/*
 * Random operations on ten VMs by four processes at once, of which some are killed with -9 at a random moment; then everything that must hold is
 * looked at. The VMs have an image without a system, so that QEMU really runs, and nothing boots. Each of the first ten carries a mark of its own
 * on its disk: all later ones are made from them, so a VM without a mark has lost what was written. INGOT_STRESS=N sets the number of operations.
 */

const OPERATIONS = Number(process.env['INGOT_STRESS'] ?? 500);
const PROCESSES = 4;
/** Of a hundred operations, so many are killed. */
const KILLED = 25;
/** Seconds after which no further operation begins. */
const LIMIT = 1200;
const NAMES = Array.from({ length: 10 }, (_, index) => `v${index}`);
/** Where the mark is: in the last cluster of the sample disk. */
const MARK = { offset: 0xf0000, length: 512 };

/** One command line; the names are so few that processes meet. */
const command = fc.oneof(
  ...[['start'], ['stop', '--force'], ['restart', '--force'], ['suspend'], ['resume'], ['delete', '--force'], ['show'], ['protect'], ['protect', '--off']].map(
    ([verb = '', ...flags]) => fc.constantFrom(...NAMES).map((name) => ['vm', verb, name, ...flags]),
  ),
  fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES)).map(([from, to]) => ['vm', 'rename', from, to]),
  fc
    .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES), fc.constantFrom('--linked', '--full'), fc.constantFrom('--start', '--no-start'))
    .map(([from, to, how, start]) => ['vm', 'clone', from, to, how, start, '--force']),
  fc
    .tuple(fc.constantFrom('create', 'restore', 'delete'), fc.constantFrom(...NAMES), fc.constantFrom('s1', 's2', 's3'), fc.boolean())
    .map(([verb, name, snapshot, flag]) => [
      ...['vm', 'snapshot', verb, name, snapshot],
      ...(verb === 'create' && flag ? ['--ram'] : verb === 'restore' && flag ? ['--force'] : []),
    ]),
  fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 2, max: 64 })).map(([name, mib]) => ['vm', 'resize', name, '--disk', `${mib}MiB`]),
);

const reason = whyNot();

describe.skipIf(reason !== undefined)(`the lab under stress${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test(`${OPERATIONS} operations on ${NAMES.length} VMs by ${PROCESSES} processes, with kills, leave everything as it must be`, async () => {
    await using home = await TestHome.make();
    const context = await home.context();
    await putSampleImage(openStore(context.host, context.home), context.home, 'sample', ['latest']);
    for (const [index, name] of NAMES.entries()) {
      await home.json(['vm', 'create', name, '--image', 'sample', '--memory', '64MiB', '--cpus', '1', '--disk', '1MiB', '--no-start']);
      await mark(home, name, index + 1);
    }
    const seed = Number(process.env['INGOT_STRESS_SEED'] ?? randomInt(2 ** 31));
    const commands = fc.sample(command, { numRuns: OPERATIONS, seed });
    const outcomes = new Map<string, number>();
    const wrong: string[] = [];
    const until = performance.now() + LIMIT * 1000;
    const work = async (): Promise<void> => {
      for (let argv = commands.pop(); argv !== undefined && performance.now() < until; argv = commands.pop()) {
        const outcome = await runOnce(home, argv);
        const kind = outcome.killed ? 'killed' : `exit ${outcome.exitCode}`;
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
        // A refusal is an answer; a defect, or bytes that are not what they should be, is none.
        if (!outcome.killed && ![0, 2, 3, 4, 5].includes(outcome.exitCode ?? -1))
          wrong.push(`${argv.join(' ')}: exit code ${outcome.exitCode}\n${outcome.stderr}`);
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, work));
    const vms = await loadVms(context.host, context.home);
    process.stderr.write(
      `seed ${seed}; ${[...outcomes].map(([kind, count]) => `${kind}: ${count}`).join(', ')}; ${commands.length} not begun; ${vms.length} VMs are left\n`,
    );
    expect(wrong, `seed ${seed}`).toEqual([]);
    expect(commands, 'the time was enough').toEqual([]);

    // A last command on each VM settles what a killed one left.
    for (const { name } of vms) await home.json(['vm', 'stop', name, '--force']);
    await checkInvariants(home, seed);
    for (const { name } of await loadVms(context.host, context.home)) {
      await home.json(['vm', 'protect', name, '--off']);
      await home.json(['vm', 'delete', name, '--force']);
    }
    await sweepFrozen(context);
    expect(await readdir(context.home.frozen)).toEqual([]);
    expect(await readdir(context.home.vms)).toEqual([]);
    expect(await traces(home.root)).toEqual([]);
  });
});

interface Outcome {
  readonly exitCode: number | undefined;
  readonly killed: boolean;
  readonly stderr: string;
}

async function runOnce(home: TestHome, argv: readonly string[]): Promise<Outcome> {
  const kill = randomInt(100) < KILLED;
  if (!kill) {
    const { exitCode, stderr } = await home.ingot([...argv, '--quiet'], { timeout: 120 });
    return { exitCode, killed: false, stderr };
  }
  const running = home.start([...argv, '--quiet']);
  await Promise.race([running.ended, sleep(randomInt(30, 900))]);
  running.kill('SIGKILL');
  const { exitCode, signal } = await running.ended;
  return { exitCode, killed: signal === 'SIGKILL' || exitCode !== 0, stderr: '' };
}

/** Writes a VM's mark onto its disk, which nobody has opened. */
async function mark(home: TestHome, name: string, value: number): Promise<void> {
  const { host, home: names } = await home.context();
  const vm = (await loadVms(host, names)).find((one) => one.name === name);
  if (vm === undefined) throw new Error(`${name} is not there`);
  const path = activePath(names.vm(parseName(name, 'a VM')), rootDisk(vm).active);
  await hostProcesses.run(['qemu-io', '-f', 'qcow2', '-c', `write -P ${value} ${MARK.offset} ${MARK.length}`, path]);
}

async function checkInvariants(home: TestHome, seed: number): Promise<void> {
  const context = await home.context();
  const { host, home: names } = context;
  await sweepFrozen(context);
  const vms = await loadVms(host, names);
  const where = `seed ${seed}`;
  expect(
    vms.map(({ name }) => name),
    where,
  ).toEqual(await readdir(names.vms));
  // Nothing that belongs to two: identities, addresses, ports, disks that are written to.
  for (const key of [(vm: VmRecord) => vm.id, (vm: VmRecord) => vm.mac, (vm: VmRecord) => String(vm.ssh.port)]) {
    expect(new Set(vms.map(key)).size, where).toBe(vms.length);
  }
  const wanted = new Set(vms.flatMap((vm) => [...frozenFilesOf(names, vm)]));
  const there = (await readdir(names.frozen)).map((file) => join(names.frozen, file));
  expect(
    there.filter((file) => !wanted.has(file)),
    `${where}: frozen files that nothing names`,
  ).toEqual([]);
  for (const vm of vms) {
    const folder = names.vm(parseName(vm.name, 'a VM'));
    expect(await vmPid(host, names, parseName(vm.name, 'a VM')), `${where}: ${vm.name} was stopped`).toBeUndefined();
    expect(vm.unsettled, `${where}: ${vm.name} is settled`).toBeUndefined();
    const disks = (await readdir(folder)).filter((file) => file.endsWith('.qcow2'));
    expect(disks.toSorted(), `${where}: ${vm.name}`).toEqual(vm.disks.map(({ active }) => `${active}.qcow2`).toSorted());
    for (const { frozen } of vm.disks) for (const id of frozen) expect((await stat(names.frozenDisk(id))).nlink, `${where}: ${id} is frozen`).toBe(1);
    const chains = [vm.disks, ...vm.snapshots.map((snapshot) => snapshot.disks)].map((some) => some[0]).filter((disk) => disk !== undefined);
    for (const disk of chains)
      expect(
        await markOf([...diskChain(names, vm, disk), ...('active' in disk ? [activePath(folder, String(disk.active))] : [])]),
        `${where}: the mark of ${vm.name}`,
      ).toBeGreaterThan(0);
    for (const disk of vm.disks) await hostProcesses.run(['qemu-img', 'check', '-q', '-f', 'qcow2', activePath(folder, disk.active)]);
    const known = new Set(vm.snapshots.map(({ name }) => name));
    for (const { parent } of vm.snapshots) if (parent !== undefined) expect(known, `${where}: the parent of a snapshot of ${vm.name}`).toContain(parent);
    if (vm.standsOn !== undefined) expect(known, `${where}: what ${vm.name} stands on`).toContain(vm.standsOn);
  }
  expect(await readdir(names.run), `${where}: scratch`).toEqual([]);
  expect(await traces(home.root), where).toEqual([]);
  expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
}

/** The mark that a chain of files carries: 0 where there is none. */
async function markOf(chain: Parameters<typeof chainGraph>[0]): Promise<number> {
  const { stdout } = await hostProcesses.run(['qemu-io', '-r', '-c', `read -v ${MARK.offset} ${MARK.length}`, `json:${JSON.stringify(chainGraph(chain))}`]);
  const bytes = [...stdout.matchAll(/^[0-9a-f]+: {2}((?:[0-9a-f]{2} ){16})/gm)].flatMap((line) => (line[1] ?? '').trim().split(' '));
  return bytes.length === MARK.length && new Set(bytes).size === 1 ? Number.parseInt(bytes[0] ?? '0', 16) : 0;
}
