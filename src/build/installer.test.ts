import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withFakeInstaller } from '../../tests/support/fake-installer-host.ts';
import { Killed } from '../../tests/support/faulty-host.ts';
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

/** A build of an installer that is well, on a host where something ends the taking of its disk into the store; how often the installer ran, and what was said. */
async function interrupted(at: TemplateFolder, ran: { times: number }, options: Partial<InstallOptions> = {}): Promise<string> {
  const template = await at.resolve({ arch: 'amd64' });
  if (template.base.kind !== 'installer') throw new Error('it is no installer');
  const release = findRelease(await loadCatalog(at.context), template.base.release);
  const before = ran.times;
  await expect(storedInstallation(at.context, template, template.base, release, { offline: false, install: true, ...options })).rejects.toThrow(
    'killed by the test',
  );
  expect(await at.host.files.list(at.home.run)).toEqual([]);
  return `${ran.times - before} installed`;
}

test('an installed disk outlives a build that is ended while it is taken into the store, and the next one goes on from it', async () => {
  const ran = { times: 0 };
  await using at = await templateFolder(
    {
      'web.yaml': 'from: { kernel: ./linux, initrd: ./initrd.gz, release: debian-12, answers: ./a.cfg }\n',
      linux: 'k',
      'initrd.gz': 'i',
      'a.cfg': `#say Starting up the partitioner\n#write 100\n#say Finishing the installation\n#end guest-shutdown\n${PRESEED}`,
    },
    (host) => {
      const fake = withFakeInstaller(host);
      return {
        ...fake,
        files: { ...fake.files, freeSpace: () => Promise.resolve(2 ** 40) },
        processes: {
          ...fake.processes,
          run: (argv, options) => (argv.includes('qemu-img') ? Promise.reject(new Killed()) : fake.processes.run(argv, options)),
          spawn(argv, options) {
            if (argv.some((word) => word.endsWith('qemu-system-x86_64'))) ran.times += 1;
            return fake.processes.spawn(argv, options);
          },
        },
      };
    },
  );
  await at.host.files.write(join(at.home.keys, 'id_ed25519'), 'a key');
  await at.host.files.write(join(at.home.keys, 'id_ed25519.pub'), 'ssh-ed25519 AAAA ingot\n');
  expect(await interrupted(at, ran)).toBe('1 installed');
  const [kept = ''] = await at.host.files.list(at.home.installed);
  expect(kept).toMatch(/^[0-9a-f]{64}\.qcow2$/);
  expect(await interrupted(at, ran)).toBe('0 installed');
  expect(await interrupted(at, ran, { offline: true })).toBe('0 installed');
  expect(at.events.some((event) => event.type === 'message' && event.text.includes(join(at.home.installed, kept)))).toBe(true);
  expect(await at.host.files.list(join(at.home.installLogs, 'debian-12'))).toHaveLength(1);
  // Another answer file is another installation.
  await at.write({ 'a.cfg': `#write 100\n#say Finishing the installation\n#end guest-shutdown\n${PRESEED}` });
  expect(await interrupted(at, ran)).toBe('1 installed');
  expect(await at.host.files.list(at.home.installed)).toHaveLength(2);
  expect(await at.host.files.list(join(at.home.installLogs, 'debian-12'))).toHaveLength(2);
});
