import { expect, test } from 'vitest';
import { provenRows, standingOf, withRow, type ProvenRow } from './proven.ts';

const row = (changes: Partial<ProvenRow> = {}): ProvenRow => ({
  release: 'debian-12',
  arch: 'amd64',
  source: 'packages',
  built: true,
  booted: true,
  by: 'a test',
  on: '2026-11-01',
  ...changes,
});

test('a row takes the place of what was known of the same, and of nothing else', () => {
  const before = [row(), row({ release: 'debian-13' }), row({ source: 'cloud-image', standIn: 'one disk' })];
  const after = withRow(before, row({ booted: false, on: '2026-11-29' }));
  expect(after).toHaveLength(3);
  expect(after).toContainEqual(row({ booted: false, on: '2026-11-29' }));
  expect(withRow(after, row({ source: 'cloud-image', standIn: 'another disk' }))).toHaveLength(4);
  expect(withRow(withRow([], row({ release: 'b' })), row({ release: 'a' })).map(({ release }) => release)).toEqual(['a', 'b']);
});

test('a stand-in proves nothing of the image itself, and what did not boot nothing at all', () => {
  const standing = (rows: readonly ProvenRow[], inferred = false): string => standingOf(rows, 'debian-12', 'cloud-image', inferred);
  expect(standing([row()])).toBe('seen');
  expect(standing([row({ source: 'cloud-image', standIn: 'a disk' })], true)).toBe('inferred');
  expect(standing([row({ source: 'cloud-image', booted: false })])).toBe('seen');
  expect(standing([row({ source: 'cloud-image' })])).toBe('proven');
});

test('what a test of the source says goes before what those of roles say', () => {
  const tested = {
    release: 'debian-12',
    variant: 'default',
    standIn: false,
    built: true,
    booted: true,
    passed: 1,
    failed: [],
    bytes: 1,
    seconds: 1,
    role: 'x',
  };
  const roles = { docker: { 'tested.json': JSON.stringify({ v: 1, rows: [tested, { ...tested, release: 'debian-13' }] }) } };
  expect(provenRows({ proven: [row({ booted: false })], roles })).toEqual([
    row({ booted: false }),
    { release: 'debian-13', arch: 'amd64', source: 'packages', built: true, booted: true, by: 'catalog/roles/docker/tested.json' },
  ]);
});
