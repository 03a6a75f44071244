import { appendFile, mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { putSampleImage } from '../../tests/support/sample-images.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { freezeDisks } from '../platforms/local/frozen.ts';
import { createVm } from '../platforms/local/create.ts';
import { activePath, rootDisk, saveVm, type VmRecord } from '../platforms/local/vms.ts';
import { parseName } from '../base/types.ts';
import { checkLab } from './lab.ts';

async function said(lab: SampleLab): Promise<string[]> {
  const findings = await checkLab(lab.context());
  for (const { state, remedy } of findings) if (state !== 'ok') expect(remedy).toMatch(/.\.$/);
  return findings.map(({ name, state, found }) => `${name} ${state}: ${found}`);
}

const folderOf = (lab: SampleLab, vm: VmRecord) => lab.home.home.vm(parseName(vm.name, 'a VM'));

const diskOf = (lab: SampleLab, vm: VmRecord) => activePath(folderOf(lab, vm), rootDisk(vm).active);

test('where all is there, one line says so for images and one for VMs; where there is none, nothing is made up', async () => {
  await using lab = await sampleLab();
  expect(await said(lab)).toEqual(['images ok: 1 in the store']);
  await createVm(lab.context(), newVm('web'));
  await putSampleImage(lab.home.store, lab.home.home, 'db', ['latest']);
  await putSampleImage(lab.home.store, lab.home.home, 'db', ['latest']);
  await rm(lab.home.home.run, { recursive: true });
  expect(await said(lab)).toEqual([
    'images ok: 3 in the store, of which nothing names or uses 1 (`ingot image prune` removes them)',
    'VMs ok: 1, each with its image and its disks',
  ]);
});

test('a VM whose image lacks a layer is found, with what brings the very image back', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const vm = await createVm(lab.context(), newVm('web'));
  const [bottom = vm.image.digest, top = vm.image.digest] = vm.image.layers;
  await rm(home.blob(bottom));
  await lab.home.host.files.setMode(home.blob(top), 0o644);
  await truncate(home.blob(top), 10);
  expect(await said(lab)).toEqual([
    expect.stringMatching(/^image debian-12:latest missing: lacks 2 of its 2 layers: sha256:\w{12}, sha256:\w{12}$/),
    expect.stringMatching(/^VM web missing: 2 of the 2 layers of its image debian-12 \(sha256:\w{12}\) are missing or cut off: /),
  ]);
  const remedy = (await checkLab(lab.context())).at(-1)?.remedy;
  expect(remedy).toContain(vm.image.digest);
  for (const command of ['ingot image load', 'ingot build debian-12', 'ingot vm delete web']) expect(remedy).toContain(command);
});

test('a VM whose image the index has lost is a warning: it runs all the same', async () => {
  await using lab = await sampleLab();
  const vm = await createVm(lab.context(), newVm('web'));
  await writeFile(join(lab.home.home.store, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
  expect(await said(lab)).toEqual(['images ok: 0 in the store', expect.stringMatching(/^VM web warning: the store does not know its image debian-12 /)]);
  await rm(lab.home.home.blob(vm.image.layers[0] ?? vm.image.digest));
  expect((await said(lab)).at(-1)).toMatch(/^VM web missing: 1 of the 2 layers .* is missing or cut off/);
  await writeFile(join(lab.home.home.store, 'index.json'), '{');
  expect((await said(lab))[0]).toMatch(/^images missing: The store's index .* cannot be read/);
});

test('what was left, damaged or put into the folder of VMs is told of, each with its remedy', async () => {
  await using lab = await sampleLab();
  const { home } = lab.home;
  const [gone, cut, stale, bad, newer, healthy] = await Promise.all(
    ['gone', 'cut', 'stale', 'bad', 'newer', 'healthy'].map((name) => createVm(lab.context(), newVm(name))),
  );
  if (gone === undefined || cut === undefined || stale === undefined || bad === undefined || newer === undefined || healthy === undefined)
    throw new Error('no VM');
  await rm(diskOf(lab, gone));
  await truncate(diskOf(lab, cut), 10);
  // The number is of a program that is no QEMU of this VM.
  await writeFile(guestFiles(folderOf(lab, stale)).pid, `${process.pid}\n`);
  await writeFile(join(folderOf(lab, bad), 'vm.json'), '{"v":1}');
  await writeFile(join(folderOf(lab, newer), 'vm.json'), '{"v":999}');
  await mkdir(join(home.vms, 'empty'));
  await mkdir(join(home.vms, 'Not A Name'));
  await mkdir(join(home.run, 'feedfacebeef'));
  await appendFile(join(home.run, 'feedfacebeef', 'x'), 'x');
  expect((await said(lab)).slice(1)).toEqual([
    expect.stringMatching(/^VM Not A Name warning: .*is no VM/),
    expect.stringMatching(/^VM bad missing: .*vm\.json is damaged$/),
    expect.stringMatching(/^VM cut missing: its disk root is damaged: /),
    'VM empty warning: a folder without vm.json, which is no VM',
    expect.stringMatching(/^VM gone missing: its disk root lacks .*\.qcow2$/),
    expect.stringMatching(/^VM newer warning: The VM newer was made by a newer ingot$/),
    expect.stringMatching(/^VM stale ok: stopped without a shutdown .* harmless/),
    expect.stringMatching(/^left over warning: 1 in .*run of processes that have ended: feedfacebeef$/),
  ]);
});

test('frozen files that a disk, a snapshot or a suspended VM needs are missed, and those that nobody names are harmless', async () => {
  await using lab = await sampleLab();
  const { home, host } = lab.home;
  const vm = await createVm(lab.context(), newVm('web'));
  const frozen = await freezeDisks(lab.context(), vm, (record) => record);
  const [disk] = frozen.disks;
  if (disk === undefined) throw new Error('no disk');
  const { active: _, ...frozenDisk } = disk;
  const ram = { file: 'abcdef', key: 'k', bytes: 1 };
  const snapshot = { name: 'before', created: vm.created, disks: [{ ...frozenDisk, frozen: ['aaaaaa'] }], cpus: 1, memory: 1 };
  await saveVm(host, home, { ...frozen, snapshots: [snapshot], suspended: ram });
  await writeFile(join(home.frozen, 'bbbbbb.qcow2'), '');
  const vmLines = async (): Promise<string[]> => (await said(lab)).slice(1);
  expect(await vmLines()).toEqual([
    expect.stringMatching(/^VM web warning: its snapshot before cannot be restored: it lacks .*aaaaaa\.qcow2$/),
    expect.stringMatching(/^VM web warning: it is suspended, and the memory .* is missing: .*abcdef\.ram$/),
    expect.stringMatching(/^left over ok: 1 in .*frozen that no VM stands on/),
  ]);
  await rm(home.frozenDisk(disk.frozen[0] ?? ''));
  expect((await vmLines())[0]).toMatch(/^VM web missing: its disk root lacks .*frozen.*\.qcow2$/);
});
