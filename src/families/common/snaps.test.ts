import { expect, test } from 'vitest';
import { NOTHING } from '../changes.ts';
import { snapsChanges } from './snaps.ts';

test('snaps are installed by cloud-init, in their order, after snapd has settled', () => {
  const { packages, files, commands } = snapsChanges([
    { name: 'lxd', channel: '5.21/stable', classic: false },
    { name: 'helm', classic: true },
  ]);
  expect(packages).toEqual(['snapd']);
  expect(commands).toEqual([]);
  expect(files.map(({ path }) => path)).toEqual(['/etc/cloud/cloud.cfg.d/90-ingot-snaps.cfg']);
  expect(JSON.parse(files[0]?.content ?? '')).toEqual({
    unverified_modules: ['snap'],
    snap: {
      commands: {
        'ingot-000': ['snap', 'wait', 'system', 'seed.loaded'],
        'ingot-001': ['snap', 'install', '--channel=5.21/stable', 'lxd'],
        'ingot-002': ['snap', 'install', '--classic', 'helm'],
      },
    },
  });
});

test('no snaps, no snapd', () => {
  expect(snapsChanges([])).toEqual(NOTHING);
});
