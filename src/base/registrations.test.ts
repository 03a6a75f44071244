import { expect, test } from 'vitest';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { leftAtVendor, openRegistration, tellLostRegistrations, type RegistrationRecord } from './registrations.ts';

const ABOUT = { vendor: 'Red Hat', removal: 'at https://console.example' };

test('a registration is on the disk before the vendor is asked, and is no news while its process lives', async () => {
  await using at = await sampleHome();
  const told: RegistrationRecord[] = [];
  const tell = (record: RegistrationRecord): void => void told.push(record);
  {
    await using open = await openRegistration(at, ABOUT);
    const { machine } = open.record;
    expect(machine).toMatch(/^ingot-[0-9a-f]{12}$/);
    expect(await at.host.files.list(at.home.registrations)).toEqual([`${machine.slice('ingot-'.length)}.json`]);
    await open.identified('uuid-1');
    await tellLostRegistrations(at, tell);
    expect(told).toEqual([]);
  }
  // Its process is gone, and nobody has said that it is unregistered.
  await tellLostRegistrations(at, tell);
  expect(told).toMatchObject([{ vendor: 'Red Hat', identity: 'uuid-1' }]);
  await tellLostRegistrations(at, tell);
  expect(told).toHaveLength(1);
  expect((await at.host.files.list(at.home.locks)).filter((name) => name.startsWith('registration-'))).toEqual([]);
});

test('one that was unregistered is forgotten', async () => {
  await using at = await sampleHome();
  {
    await using open = await openRegistration(at, ABOUT);
    await open.forget();
  }
  expect(await at.host.files.list(at.home.registrations)).toEqual([]);
});

test('what nobody wrote is left alone', async () => {
  await using at = await sampleHome();
  await at.host.files.makeDirectory(at.home.registrations);
  await at.host.files.write(at.home.registration('abc'), '{"v":2}');
  await tellLostRegistrations(at, () => expect.unreachable());
  expect(await at.host.files.list(at.home.registrations)).toEqual(['abc.json']);
});

test('what is left is told by name, and how it is removed', () => {
  const record: RegistrationRecord = { v: 1, machine: 'ingot-1', ...ABOUT, since: '2026-01-01T00:00:00.000Z' };
  expect(leftAtVendor(record)).toEqual({ message: 'the system ingot-1 may still be registered at Red Hat', hint: 'Remove it at https://console.example.' });
  expect(leftAtVendor({ ...record, identity: 'uuid' }).message).toContain('ingot-1 (uuid)');
});
