import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sampleHome } from '../../../tests/support/sample-images.ts';
import { keyOf } from '../../base/hash.ts';
import { KEPT_INSTALL_LOGS, makeInstallLogs } from './install-logs.ts';

test('two installations of one name have each its folder, and the newest ones are kept', async () => {
  await using at = await sampleHome();
  let now = Date.UTC(2026, 10, 29, 15, 4, 5, 6);
  const host = { ...at.host, clock: { ...at.host.clock, now: () => new Date(now) } };
  const first = await makeInstallLogs(host, at.home, 'debian-12', keyOf('a'));
  const second = await makeInstallLogs(host, at.home, 'debian-12', keyOf('b'));
  expect(first).toMatch(/logs\/installs\/debian-12\/20261129-150405006-[0-9a-f]{12}$/);
  expect(second).not.toBe(first);
  await host.files.write(join(first, 'console.log'), 'text');
  for (let i = 0; i < KEPT_INSTALL_LOGS; i++) {
    now += 1000;
    await makeInstallLogs(host, at.home, 'debian-12', keyOf(i));
  }
  await makeInstallLogs(host, at.home, 'debian-13', keyOf('a'));
  const left = await host.files.list(join(at.home.installLogs, 'debian-12'));
  expect(left).toHaveLength(KEPT_INSTALL_LOGS);
  expect(left[0]).toContain('20261129-150406');
});
