import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeIso } from '../../tests/support/iso.ts';
import { failureOf, templateFolder, type TemplateFolder } from '../../tests/support/templates.ts';
import { findRelease, loadCatalog } from '../catalog/catalog.ts';
import { storedInstallation, type InstallOptions } from './installer.ts';

const PRESEED = 'd-i debian-installer/exit/poweroff boolean true\n';
const INFO = { '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST' };

/** What it throws where nothing is to be installed: with the key of what would be. */
async function refused(at: TemplateFolder, text: string, options: Partial<InstallOptions> = {}): Promise<{ readonly code: string; readonly key: string }> {
  await at.write({ 'web.yaml': text });
  const template = await at.resolve({ arch: 'amd64' });
  if (template.base.kind !== 'installer') throw new Error('it is no installer');
  const { base } = template;
  const release = findRelease(await loadCatalog(at.context), base.release);
  const error = await failureOf(storedInstallation(at.context, template, base, release, { offline: false, install: false, ...options }));
  return { code: error.code, key: /key (\S+)/.exec(error.detail ?? '')?.[1] ?? '' };
}

test('what decides an installation is in its key, and what one template alone says is not', async () => {
  await using at = await templateFolder({ 'a.cfg': PRESEED, 'b.cfg': `${PRESEED}d-i time/zone string UTC\n` });
  await writeIso(join(at.folder, 'my.iso'), 'Debian', INFO);
  await writeIso(join(at.folder, 'other.iso'), 'Debian', { ...INFO, more: 'x' });
  const key = async (text: string): Promise<string> => {
    const { code, key: found } = await refused(at, text);
    expect(code).toBe('not-installed');
    return found;
  };
  const plain = await key('from: ./my.iso\n');
  expect(plain).toMatch(/^sha256:/);
  expect(await key('from: ./my.iso\nusers: [{ name: deploy }]\npackages: [nginx]\nsystem: { hostname: web, locale: de_CH.UTF-8 }\n')).toBe(plain);
  const keys = [
    plain,
    await key('from: ./other.iso\n'),
    await key('from: { iso: ./my.iso, answers: ./a.cfg }\n'),
    await key('from: { iso: ./my.iso, answers: ./b.cfg }\n'),
    await key('from: { iso: ./my.iso, arguments: quiet }\n'),
    await key('from: ./my.iso\ndisk: { size: 20GiB }\n'),
    await key('from: ./my.iso\ndisk: { filesystem: xfs }\n'),
    await key('from: ./my.iso\ndisk: { firmware: uefi }\n'),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test('offline nothing is installed, and another medium than the locked one is refused', async () => {
  await using at = await templateFolder({});
  await writeIso(join(at.folder, 'my.iso'), 'Debian', INFO);
  expect(await refused(at, 'from: ./my.iso\n', { install: true, offline: true })).toMatchObject({ code: 'offline-missing' });
  const locked = { url: 'file:/x.iso', digest: 'sha256:'.padEnd(71, 'a'), vouched: false } as const;
  const { parseDigest } = await import('../base/types.ts');
  expect(await refused(at, 'from: ./my.iso\n', { locked: { ...locked, digest: parseDigest(locked.digest) } })).toMatchObject({ code: 'lock-stale' });
});
