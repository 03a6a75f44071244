import { join } from 'node:path';
import { expect, test } from 'vitest';
import { atEveryEffect, type Fault } from '../../../tests/support/faulty-host.ts';
import { quickHost, sampleHome, type SampleHome } from '../../../tests/support/sample-images.ts';
import { keyOf } from '../../base/hash.ts';
import { takeLock } from '../../base/lock.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { dropInstalled, findInstalled, installLock, keepInstalled, sweepInstalled } from './installed-disk.ts';

const KEY = keyOf('debian-12');
const OTHER = keyOf('debian-13');

interface State {
  readonly at: SampleHome;
  readonly disk: HostPath;
}

async function prepare(): Promise<State> {
  const at = await sampleHome();
  const disk = hostPath(join(at.home.run, 'x', 'disk.qcow2'));
  await at.host.files.makeDirectory(join(at.home.run, 'x'));
  await at.host.files.write(disk, 'what an installer has written');
  return { at, disk };
}

test.each<Fault>(['kill', 'torn', 'full'])('%s while it is kept: it is there whole, or still in scratch', async (fault) => {
  const faults = await atEveryEffect<State>(quickHost(), fault, {
    prepare,
    scenario: (host, { at, disk }) => keepInstalled({ host, home: at.home }, KEY, disk),
    check: async ({ at, disk }, { effect }) => {
      await using _home = at;
      const found = await findInstalled(at, KEY);
      expect(Buffer.from(await at.host.files.read(found ?? disk)).toString(), effect).toBe('what an installer has written');
      expect(await at.host.files.status(found === undefined ? at.home.installedDisk(KEY) : disk), effect).toBeUndefined();
    },
  });
  expect(faults).toBeGreaterThan(2);
});

test('it goes when it is in the store', async () => {
  const { at, disk } = await prepare();
  await using _home = at;
  expect(await keepInstalled(at, KEY, disk)).toBe(await findInstalled(at, KEY));
  expect(await findInstalled(at, OTHER)).toBeUndefined();
  await dropInstalled(at, KEY);
  expect(await findInstalled(at, KEY)).toBeUndefined();
  await dropInstalled(at, KEY);
});

test('what no build goes on with for a week is swept; what one is at never', async () => {
  const { at, disk } = await prepare();
  await using _home = at;
  const path = await keepInstalled(at, KEY, disk);
  const old = async (file: HostPath): Promise<void> => at.host.files.setModified(file, new Date(at.host.clock.now().getTime() - 8 * 86_400_000));
  await at.host.files.write(disk, 'another');
  await old(await keepInstalled(at, OTHER, disk));
  {
    await using _lock = await takeLock(at.host, at.home, installLock(OTHER), { what: 'installing' });
    expect(await sweepInstalled(at)).toEqual([]);
    expect((await sweepInstalled(at, { all: true, dryRun: true })).map((one) => one.path)).toEqual([path]);
  }
  expect((await sweepInstalled(at, { dryRun: true })).map((one) => one.path)).toEqual([at.home.installedDisk(OTHER)]);
  expect(await sweepInstalled(at)).toMatchObject([{ path: at.home.installedDisk(OTHER), size: expect.any(Number) }]);
  expect(await findInstalled(at, OTHER)).toBeUndefined();
  expect(await findInstalled(at, KEY)).toBe(path);
  expect(await sweepInstalled(at, { all: true })).toHaveLength(1);
  expect(await sweepInstalled(at, { all: true })).toEqual([]);
});
