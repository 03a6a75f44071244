import { describe, expect, test } from 'vitest';
import { atEveryEffect, type Fault } from '../../../tests/support/faulty-host.ts';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { parseName } from '../../base/types.ts';
import { cloneVm } from './clone.ts';
import { createVm } from './create.ts';
import { sweepScratch } from '../../base/scratch.ts';
import { holdVm } from './power.ts';
import { deleteVm } from './remove.ts';
import { renameVm } from './rename.ts';
import { readSeed, seedContent } from './seed.ts';
import { withIdentity } from './seed-identity.ts';
import { findVm, loadVm, saveVm, seedPath, vmNames, type VmRecord } from './vms.ts';

const [web, www] = [parseName('web', 'a VM'), parseName('www', 'a VM')];
const MINUTES = 300_000;
const clone = { source: web, target: www, full: false, start: false, force: false };

describe('another identity for a seed', () => {
  const content = seedContent({ instanceId: 'i-1', hostname: 'web', publicKey: 'ssh-ed25519 AAAA' }, { userData: '#cloud-config\npackages: [nginx]\n' });

  test('another name keeps the instance, so that nothing is set up anew', () => {
    const renamed = withIdentity(content, { hostname: 'www.example.org' });
    expect(JSON.parse(renamed.metaData)).toEqual({ 'instance-id': 'i-1', 'local-hostname': 'www.example.org', 'public-keys': ['ssh-ed25519 AAAA'] });
    expect(renamed.vendorData).toContain('"fqdn":"www.example.org"');
    expect(renamed.vendorData).not.toContain('bootcmd');
    expect(withIdentity(renamed, { hostname: 'web' })).toEqual(content);
    expect(renamed.userData).toBe(content.userData);
  });

  test('another instance gets a machine-id of its own, once', () => {
    const cloned = withIdentity(content, { hostname: 'www', instanceId: 'i-2' });
    expect(JSON.parse(cloned.metaData)).toMatchObject({ 'instance-id': 'i-2', 'local-hostname': 'www' });
    const { bootcmd } = JSON.parse((cloned.vendorData ?? '').replace('#cloud-config\n', ''));
    expect(bootcmd).toEqual([['cloud-init-per', 'instance', 'ingot-machine-id', 'sh', '-c', expect.stringContaining('systemd-machine-id-setup')]]);
  });

  test('what ingot did not write is left alone', () => {
    for (const wrong of ['instance-id: i-1\n', '[1]', '{']) {
      expect(() => withIdentity({ ...content, metaData: wrong }, { hostname: 'www' })).toThrow('was not written by ingot');
    }
    expect(() => withIdentity({ ...content, vendorData: '#!/bin/sh\n' }, { hostname: 'www' })).toThrow('was not written by ingot');
  });
});

describe('renaming', () => {
  test('moves all that a VM is; ssh knows it by its new name', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const vm = await createVm(lab.context(), newVm('web', { userData: '#cloud-config\n{}\n' }));
    await lab.host.files.write(`${home.vm(web)}/known_hosts`, 'web ssh-ed25519 AAAA\nwebsite ssh-ed25519 BBBB\n');
    await renameVm(lab.context(), web, www);
    expect(await vmNames(lab.host, home)).toEqual(['www']);
    expect(await loadVm(lab.host, home, www)).toEqual({ ...vm, name: 'www' });
    expect(Buffer.from(await lab.host.files.read(`${home.vm(www)}/known_hosts`)).toString()).toBe('www ssh-ed25519 AAAA\nwebsite ssh-ed25519 BBBB\n');
    const seed = await readSeed(lab.host, seedPath(home.vm(www)));
    expect(JSON.parse(seed.metaData)).toMatchObject({ 'instance-id': vm.id, 'local-hostname': 'www' });
  });

  test('to a name that is taken, or of a VM that is not there, is refused', async () => {
    await using lab = await sampleLab();
    for (const name of ['web', 'www']) await createVm(lab.context(), newVm(name));
    await expect(renameVm(lab.context(), web, www)).rejects.toMatchObject({ code: 'vm-exists' });
    await expect(renameVm(lab.context(), web, web)).rejects.toMatchObject({ code: 'vm-exists' });
    await expect(renameVm(lab.context(), parseName('wib', 'a VM'), www)).rejects.toMatchObject({ code: 'vm-unknown' });
  });

  test.each(['kill', 'torn'] satisfies Fault[])(
    '%s at any effect: it has one name or the other, and is finished by whoever comes next',
    async (fault) => {
      await using lab = await sampleLab();
      const { home } = lab.home;
      const faults = await atEveryEffect<VmRecord>(lab.host, fault, {
        prepare: async () => {
          for (const name of await vmNames(lab.host, home)) await deleteVm(lab.context(), name, { force: true });
          return await createVm(lab.context(), newVm('web'));
        },
        scenario: (host) => renameVm(lab.context(host), web, www),
        check: async (vm, { effect }) => {
          const [name, ...others] = await vmNames(lab.host, home);
          expect(others, effect).toEqual([]);
          await using held = await holdVm(lab.context(), name ?? web, 'a test');
          expect(held.vm, effect).toEqual({ ...vm, name });
          expect(await findVm(lab.host, home, name ?? web), effect).toEqual(held.vm);
          const seed = await readSeed(lab.host, seedPath(home.vm(name ?? web)));
          expect(JSON.parse(seed.metaData), effect).toMatchObject({ 'local-hostname': name });
        },
      });
      expect(faults).toBeGreaterThan(5);
    },
    MINUTES,
  );
});

describe('a clone', () => {
  test('stands on what its source has, and outlives it', async () => {
    await using lab = await sampleLab();
    const { home } = lab.home;
    const source = await createVm(lab.context(), newVm('web', { userData: '#cloud-config\npackages: [nginx]\n' }));
    await lab.host.files.append(`${home.vm(web)}/${source.disks[0]?.active}.qcow2`, Buffer.alloc(65_536, 1));
    const made = await cloneVm(lab.context(), clone);
    const seed = await readSeed(lab.host, seedPath(home.vm(www)));
    expect(JSON.parse(seed.metaData)).toMatchObject({ 'instance-id': made.id, 'local-hostname': 'www' });
    expect(seed.userData).toContain('nginx');
    expect(made.disks[0]?.frozen).toEqual((await loadVm(lab.host, home, web)).disks[0]?.frozen);
    await deleteVm(lab.context(), web, { force: false });
    expect(await lab.host.files.list(home.frozen)).toHaveLength(1);
    await deleteVm(lab.context(), www, { force: false });
    expect(await lab.host.files.list(home.frozen)).toEqual([]);
  });

  test('of a VM that nothing was written to adds no file', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    for (const name of ['a', 'b']) await cloneVm(lab.context(), { ...clone, target: parseName(name, 'a VM') });
    expect(await lab.host.files.list(lab.home.home.frozen)).toEqual([]);
  });

  test.each(['kill', 'torn', 'full'] satisfies Fault[])(
    '%s at any effect: it is there whole or not at all, and the source is as it was',
    async (fault) => {
      await using lab = await sampleLab();
      const { home } = lab.home;
      await atEveryEffect<void>(lab.host, fault, {
        prepare: async () => {
          for (const name of await vmNames(lab.host, home)) await deleteVm(lab.context(), name, { force: true });
          const vm = await createVm(lab.context(), newVm('web'));
          await lab.host.files.append(`${home.vm(web)}/${vm.disks[0]?.active}.qcow2`, Buffer.alloc(65_536, 1));
        },
        scenario: (host) => cloneVm(lab.context(host), clone),
        check: async (_state, { effect }) => {
          await sweepScratch(lab.host, home);
          expect(await lab.host.files.list(home.run), effect).toEqual([]);
          await using held = await holdVm(lab.context(), web, 'a test');
          expect(held.vm.disks[0]?.frozen.length, effect).toBeLessThanOrEqual(1);
          const made = await findVm(lab.host, home, www);
          if (made !== undefined) expect(made.disks[0]?.frozen, effect).toEqual(held.vm.disks[0]?.frozen);
        },
      });
    },
    MINUTES,
  );
});

test('a protected VM is not deleted, by force neither', async () => {
  await using lab = await sampleLab();
  const vm = await createVm(lab.context(), newVm('web'));
  await saveVm(lab.host, lab.home.home, { ...vm, protected: true });
  for (const force of [false, true]) {
    await expect(deleteVm(lab.context(), web, { force })).rejects.toMatchObject({ code: 'vm-protected', hint: expect.stringContaining('--off') });
  }
  await saveVm(lab.host, lab.home.home, vm);
  await deleteVm(lab.context(), web, { force: false });
});
