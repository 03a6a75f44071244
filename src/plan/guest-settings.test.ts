import { expect, test } from 'vitest';
import type { ResolvedSystem, ResolvedUser } from '../template/template.ts';
import { guestSettings } from './guest-settings.ts';

const system: ResolvedSystem = { 'kernel-arguments': [], sysctl: {}, ntp: [], trustedCa: [], repositories: [] };
const user = (more: Partial<ResolvedUser>): ResolvedUser => ({ name: 'web', system: false, groups: [], sudo: false, sshKeys: [], ...more });

test('what a platform decides is not settled', () => {
  expect(guestSettings({ system: { ...system, hostname: 'platform', sshd: {} }, users: [user({})] })).toBeUndefined();
});

test('name, port and accounts of the template, over those of its base', () => {
  const base = {
    hostname: 'old',
    sshPort: 2200,
    accounts: [
      { name: 'web', keys: true, password: true },
      { name: 'ops', keys: true, password: false },
    ],
  };
  const users = [user({}), user({ name: 'svc', passwordHash: { secret: 's', fingerprint: 'f' } })];
  expect(guestSettings({ system, users }, base)).toEqual({
    hostname: 'old',
    sshPort: 2200,
    // The base's keys stay; without a hash no password works.
    accounts: [
      { name: 'web', keys: true, password: false },
      { name: 'ops', keys: true, password: false },
      { name: 'svc', keys: false, password: true },
    ],
  });
  expect(guestSettings({ system: { ...system, hostname: 'new', sshd: { port: 22 } }, users: [] }, base)).toMatchObject({ hostname: 'new', sshPort: 22 });
});
