import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { builtInSettings } from '../base/settings.ts';
import { createVm } from '../platforms/local/create.ts';
import type { VmStats } from '../platforms/local/stats.ts';
import { splitGuestPath } from './client-file.ts';
import type { Context } from './operation.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import { statsTable } from './stats-table.ts';
import vmCopy from './vm-copy.ts';
import vmInventory from './vm-inventory.ts';
import vmSshConfig from './vm-ssh-config.ts';
import vmWait from './vm-wait.ts';

const PLAIN = { color: false, width: Number.POSITIVE_INFINITY };

function contextOf(lab: SampleLab): Context {
  return {
    ...lab.context(),
    settings: builtInSettings(lab.home.home),
    ...UNATTENDED,
    consent: async () => false,
  };
}

describe('VM:PATH', () => {
  test.each([
    ['web:/etc/hosts', { vm: 'web', path: '/etc/hosts' }],
    ['web:', { vm: 'web', path: '' }],
    ['web:a b:c', { vm: 'web', path: 'a b:c' }],
    ['./a:b', undefined],
    ['/a:b', undefined],
    [':a', undefined],
    ['a', undefined],
    ['dir/web:x', undefined],
  ])('%s', (text, halves) => expect(splitGuestPath(text)).toEqual(halves));

  test('no absolute path, and none that begins with a dot and a slash, is in a VM', () => {
    fc.assert(fc.property(fc.constantFrom('/', './', '../'), fc.string(), (start, rest) => void expect(splitGuestPath(start + rest)).toBeUndefined()));
  });
});

test.each([
  ['/a', '/b', 'Both /a and /b are here'],
  ['web:/a', 'db:/b', 'Both web:/a and db:/b are in VMs'],
])('a copy from %s to %s is none', async (source, target, message) => {
  await using lab = await sampleLab();
  await expect(vmCopy.run({ source, target }, contextOf(lab))).rejects.toMatchObject({ code: 'copy-places', class: 'usage', message });
});

test.each([
  [{ for: 'ssh', port: 80 }, '--port belongs to --for port, not to --for ssh'],
  [{ for: 'cloud-init', command: ['true'] }, 'A command belongs to --for command, not to --for cloud-init'],
  [{ port: 80, command: ['true'] }, 'A command belongs to --for command, not to --for port'],
  [{ for: 'port' }, '--for port needs --port'],
  [{ for: 'command' }, '--for command needs a command'],
])('what does not fit together is not waited for: %j', async (input, message) => {
  await using lab = await sampleLab();
  const run = vmWait.run(vmWait.input.parse({ name: 'web', ...input }), contextOf(lab));
  await expect(run).rejects.toMatchObject({ code: 'wait-unfitting', message });
});

test('other tools are told of all VMs, or of those that are named, once each', async () => {
  await using lab = await sampleLab();
  const context = contextOf(lab);
  expect(vmSshConfig.render?.(await vmSshConfig.run({ names: [] }, context), PLAIN)).toBe('');
  for (const name of ['db', 'web']) await createVm(context, newVm(name));
  const all = await vmSshConfig.run({ names: [] }, context);
  expect(all.map(({ name }) => name)).toEqual(['db', 'web']);
  expect(vmSshConfig.render?.(all, PLAIN)).toMatch(/^Host db\n.*\n\nHost web\n/s);
  expect((await vmSshConfig.run({ names: ['web', 'web'] }, context)).map(({ name }) => name)).toEqual(['web']);
  await expect(vmSshConfig.run({ names: ['webb'] }, context)).rejects.toMatchObject({ code: 'vm-unknown' });
  const inventory = await vmInventory.run({ names: [], ansible: false }, context);
  expect(Object.keys(inventory.all.hosts)).toEqual(['db', 'web']);
  expect(inventory.all.children['state_stopped']).toEqual({ hosts: { db: {}, web: {} } });
});

describe('the table of stats', () => {
  const web: VmStats = {
    name: 'web',
    state: 'running',
    cpus: 2,
    cpu: 99.6,
    memory: { size: 2 ** 30, host: 3 * 2 ** 28, used: 2 ** 27 },
    disk: { read: 2 ** 21, written: 2 ** 20 },
    network: { received: 2048, sent: 1024 },
  };
  const db: VmStats = { name: 'db', state: 'stopped', cpus: 1, memory: { size: 2 ** 29 } };
  const cells = (text: string): string[][] => text.split('\n').map((line) => line.trim().split(/\s{2,}/));

  test('has totals, and dashes for what nobody tells', () => {
    expect(cells(statsTable([db, web], PLAIN))).toEqual([
      ['NAME', 'STATE', 'CPU', 'MEMORY', 'IN USE', 'READ', 'WRITTEN', 'NET IN', 'NET OUT'],
      ['db', 'stopped', '-', '-', '-', '-', '-', '-', '-'],
      ['web', 'running', '100 %', '768 MiB', '128 MiB', '2.0 MiB', '1.0 MiB', '2.0 KiB', '1.0 KiB'],
    ]);
  });

  test('has rates where there was a measurement before, but none for what began anew', () => {
    const before = { ...web, disk: { read: 2 ** 20, written: 2 ** 30 }, network: { received: 0, sent: 1024 } };
    const [header, row, fresh] = cells(statsTable([web, { ...web, name: 'new' }], PLAIN, { stats: [before], seconds: 2 }));
    expect(header?.slice(-4)).toEqual(['READ/s', 'WRITE/s', 'IN/s', 'OUT/s']);
    expect(row?.slice(-4)).toEqual(['512 KiB', '-', '1.0 KiB', '0 B']);
    expect(fresh?.slice(-4)).toEqual(['-', '-', '-', '-']);
  });
});
