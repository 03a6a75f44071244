import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sweepScratch } from '../../base/scratch.ts';
import { hostPath, parseName } from '../../base/types.ts';
import { readQcow2Header } from '../../disk/qcow2.ts';
import { faultyHost } from '../../../tests/support/faulty-host.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { SAMPLE_DISK } from '../../../tests/support/sample-images.ts';
import { createVm } from './create.ts';
import { sweepFrozen } from './frozen.ts';
import type { Accelerator } from './guest-spec.ts';
import { makeOverlay } from './overlay.ts';
import { holdVm } from './power.ts';
import { deleteVm } from './remove.ts';
import { qemuArguments } from './qemu-arguments.ts';
import { activePath, loadVm, rootDisk, saveVm, vmSpec } from './vms.ts';
import { warmKey, warmSpec } from './warm-machine.ts';
import { checkWarmState, findWarmState, loadWarmStates, warmFiles, type WarmShape, type WarmState } from './warm-record.ts';
import { pruneWarmStates, removeWarmState, viewWarmStates } from './warm-remove.ts';
import { SETTLE, WAIT } from './warm-script.ts';
import { warmShapeOf } from './warm-start.ts';

const TCG: Accelerator = { kind: 'tcg', proven: true, reason: 'a test' };
const web = parseName('web', 'a VM');
const hasPython = spawnSync('python3', ['--version']).status === 0;
const hasQemu = spawnSync('qemu-system-x86_64', ['--version']).status === 0;

function shapeOf(lab: SampleLab): WarmShape {
  return warmShapeOf({ image: lab.image, arch: 'amd64', firmware: 'bios', disk: SAMPLE_DISK }, { image: 'debian-12', cpus: 1, memory: 2 ** 29 });
}

/** A state as saving one leaves it, of nothing that ever ran. */
async function putState(lab: SampleLab, key: string, frozen = 'aaaa1111'): Promise<WarmState> {
  const { host } = lab;
  const { home } = lab.home;
  const files = warmFiles(home.warmState(key));
  for (const folder of [home.warmState(key), home.frozen]) await host.files.makeDirectory(folder);
  await makeOverlay(host, home.frozenDisk(frozen), home.blob(lab.image.layers.at(-1)?.digest ?? lab.image.digest), SAMPLE_DISK);
  await host.files.write(files.memory, 'memory');
  await host.files.write(files.devices, 'devices');
  const [memory, devices] = [await host.files.status(files.memory), await host.files.status(files.devices)];
  await host.files.write(`${files.devices}.json`, JSON.stringify({ v: 1, size: devices?.size, modified: devices?.modified.getTime() }));
  const state: WarmState = {
    v: 1,
    key,
    shape: shapeOf(lab),
    frozen,
    hostKeys: ['ssh_host_ed25519_key'],
    pid: 300,
    memory: { size: memory?.size ?? 0, modified: memory?.modified.getTime() ?? 0 },
    created: '2026-01-01T00:00:00.000Z',
  };
  await host.files.write(files.record, JSON.stringify(state));
  return state;
}

describe('a saved machine', { timeout: 60_000 }, () => {
  test('keeps its disk, until it is removed', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const state = await putState(lab, 'k1');
    await putState(lab, 'k2', 'bbbb2222');
    expect(await sweepFrozen(lab.context())).toBe(0);
    await checkWarmState(lab.host, home, state);
    await removeWarmState(lab.context(), state);
    expect(await lab.host.files.list(home.frozen)).toEqual(['bbbb2222.qcow2']);
    expect((await loadWarmStates(lab.host, home)).map(({ key }) => key)).toEqual(['k2']);
  });

  test('leaves its disk to the VMs that stand on it', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const state = await putState(lab, 'k1');
    const vm = await createVm(lab.context(), newVm('web'));
    await saveVm(lab.host, home, { ...vm, disks: [{ ...rootDisk(vm), frozen: [state.frozen] }] });
    await removeWarmState(lab.context(), state);
    expect(await lab.host.files.list(home.frozen)).toEqual([`${state.frozen}.qcow2`]);
    await deleteVm(lab.context(), web, { force: false });
    expect(await lab.host.files.list(home.frozen)).toEqual([]);
  });

  test.each(['memory', 'devices'] as const)('is damaged where its %s has changed', async (part) => {
    await using lab = await sampleLab();
    const state = await putState(lab, 'k1');
    await lab.host.files.truncate(warmFiles(lab.home.home.warmState('k1'))[part], 3);
    await expect(checkWarmState(lab.host, lab.home.home, state)).rejects.toMatchObject({ code: 'warm-damaged' });
  });

  test('is damaged where its disk is gone, and none where its record cannot be read', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const state = await putState(lab, 'k1');
    await lab.host.files.remove(home.frozenDisk(state.frozen));
    await expect(checkWarmState(lab.host, home, state)).rejects.toMatchObject({ code: 'warm-damaged' });
    await lab.host.files.write(warmFiles(home.warmState('k1')).record, '{"v":1');
    expect(await findWarmState(lab.host, home, 'k1')).toBeUndefined();
  });

  test('killed at every effect of its removal: whole or gone, and pruning takes the rest', { timeout: 60_000 }, async () => {
    for (let at = 1; ; at++) {
      await using lab = await sampleLab();
      const { home } = lab.home;
      const state = await putState(lab, 'k1');
      const faulty = faultyHost(lab.host, at, 'kill');
      await removeWarmState(lab.context(faulty.host), state).catch(() => undefined);
      if (!faulty.hit()) {
        if (at > faulty.log.length) break;
        continue;
      }
      const [left] = await loadWarmStates(lab.host, home);
      if (left !== undefined) await checkWarmState(lab.host, home, left);
      await sweepScratch(lab.host, home);
      await sweepFrozen(lab.context());
      expect(await lab.host.files.list(home.frozen), faulty.log.at(at - 1)).toEqual(left === undefined ? [] : [`${left.frozen}.qcow2`]);
    }
  });

  test.skipIf(!hasQemu)(`is pruned with its image, and where its key fits no more${hasQemu ? '' : ' (no QEMU here)'}`, async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const emulated = { ...lab.host, machine: { ...lab.host.machine, arch: 'arm64' } };
    const context = lab.context(emulated);
    const key = await warmKey(context, shapeOf(lab), TCG);
    await putState(lab, key);
    await putState(lab, 'k-of-another-qemu', 'bbbb2222');
    await lab.host.files.makeDirectory(join(home.warm, 'half'));
    expect((await viewWarmStates(context)).map(({ state, useless }) => [state.key, useless === undefined])).toEqual(
      [
        ['k-of-another-qemu', false],
        [key, true],
      ].toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
    expect((await pruneWarmStates(context, { dryRun: true })).map(({ state }) => state.key)).toEqual(['k-of-another-qemu']);
    expect(await lab.host.files.list(home.warm)).toHaveLength(3);
    await pruneWarmStates(context, { dryRun: false });
    expect(await lab.host.files.list(home.warm)).toEqual([key]);
    expect(await lab.host.files.list(home.frozen)).toEqual(['aaaa1111.qcow2']);
    await lab.home.store.remove('debian-12', new Map());
    expect((await pruneWarmStates(context, { dryRun: false })).map(({ useless }) => useless)).toEqual(['its image is gone']);
    expect(await lab.host.files.list(home.frozen)).toEqual([]);
  });
});

test('the machine that is saved is the one that a VM has, down to each word', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const vm = await createVm(lab.context(), newVm('web'));
  const spec = vmSpec(home, vm, TCG);
  const shape = { ...shapeOf(lab), cpus: vm.cpus, memory: vm.memory, firmware: vm.firmware };
  const [root] = spec.disks;
  const place = { folder: spec.folder, chain: root?.chain ?? [], active: rootDisk(vm).active, id: vm.id, mac: vm.mac, port: vm.ssh.port, key: spec.ssh.key };
  const options = { firmware: undefined, disposable: false, sandbox: false };
  expect(qemuArguments({ ...warmSpec(shape, TCG, place), name: vm.name }, options)).toEqual(qemuArguments(spec, options));
});

describe('the key', { timeout: 60_000 }, () => {
  test.skipIf(!hasQemu)(`is another for each size, firmware and image, and the same for each name of an image${hasQemu ? '' : ' (no QEMU here)'}`, async () => {
    await using lab = await sampleLab();
    const context = lab.context();
    const shape = shapeOf(lab);
    const key = await warmKey(context, shape, TCG);
    expect(await warmKey(context, { ...shape, image: { ...shape.image, reference: 'debian-12:latest' } }, TCG)).toBe(key);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 64, max: 4096 }),
        fc.integer({ min: 1, max: 100 }),
        async (cpus, mebibytes, disks) => {
          const other = { ...shape, cpus, memory: mebibytes * 2 ** 20, disk: disks * SAMPLE_DISK };
          const same = other.cpus === shape.cpus && other.memory === shape.memory && other.disk === shape.disk;
          expect((await warmKey(context, other, TCG)) === key).toBe(same);
        },
      ),
      { numRuns: 25 },
    );
    const digest = lab.image.layers[0]?.digest ?? shape.image.digest;
    expect(await warmKey(context, { ...shape, image: { ...shape.image, digest } }, TCG)).not.toBe(key);
  });
});

describe('a VM without an identity', { timeout: 60_000 }, () => {
  /** As a killed `vm create --warm` leaves one. */
  async function unfinished(lab: SampleLab): Promise<void> {
    const { home } = lab.home;
    const state = await putState(lab, 'k1');
    const vm = await createVm(lab.context(), newVm('web'));
    await saveVm(lab.host, home, { ...vm, pendingIdentity: true, disks: [{ ...rootDisk(vm), frozen: [state.frozen] }] });
  }

  test('gets a new disk of its image from whoever holds it next', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    await unfinished(lab);
    const before = rootDisk(await loadVm(lab.host, home, web)).active;
    {
      await using held = await holdVm(lab.context(), web, 'a test');
      expect(held.vm.pendingIdentity).toBeUndefined();
    }
    const vm = await loadVm(lab.host, home, web);
    expect(rootDisk(vm)).toMatchObject({ frozen: [], size: SAMPLE_DISK > rootDisk(vm).size ? SAMPLE_DISK : rootDisk(vm).size });
    expect(rootDisk(vm).active).not.toBe(before);
    expect(await lab.host.files.status(activePath(home.vm(web), before))).toBeUndefined();
    const top = lab.image.layers.at(-1);
    const header = await readQcow2Header(lab.host.files, activePath(home.vm(web), rootDisk(vm).active));
    expect(header.backing?.name).toBe(top === undefined ? '' : home.blob(top.digest));
    expect(lab.messages.join('\n')).toContain('web was being made when ingot was killed');
  });

  test('leaves its name free', async () => {
    await using lab = await sampleLab();
    await unfinished(lab);
    const vm = await createVm(lab.context(), newVm('web'));
    expect(vm.pendingIdentity).toBeUndefined();
    expect(await loadVm(lab.host, lab.home.home, web)).toEqual(vm);
  });
});

test('what a guest reads when it boots is a reason to boot, which is said', async () => {
  await using lab = await sampleLab();
  const spawn = () => {
    throw new Error('no process can be started');
  };
  const host = { ...lab.host, machine: { ...lab.host.machine, arch: 'arm64' }, processes: { ...lab.host.processes, spawn } };
  await createVm(lab.context(host), newVm('web', { start: true, warm: true, force: true, userData: '#cloud-config\n' })).catch(() => undefined);
  if (hasQemu) expect(lab.messages).toContain('web boots, since a machine that has booted already cannot be given user-data');
  expect(await lab.host.files.list(lab.home.home.warm)).toEqual([]);
});

test.skipIf(!hasPython).each([
  ['settling', SETTLE],
  ['waiting', WAIT],
])(`the script for %s is Python${hasPython ? '' : ' (none here)'}`, { timeout: 60_000 }, (_, script) => {
  const { status, stderr } = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 6))'], {
    input: script,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
});

test('the files of a state lie in its folder', () => {
  const folder = hostPath('/home/cache/warm/k1');
  expect(warmFiles(folder)).toEqual({ record: join(folder, 'warm.json'), memory: join(folder, 'memory'), devices: join(folder, 'devices') });
});
