import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostPath } from '../../../src/base/types.ts';
import { alpine } from '../../../src/families/alpine/family.ts';
import type { PackageRepository, ResolvedSystem } from '../../../src/template/template.ts';
import { FamilyRecord } from '../../support/family-results.ts';
import { hostUserland, missingPrograms, openFamilyRoot, type FamilyRoot } from '../../support/family-root.ts';
import { SAMPLE_TEMPLATE } from '../../support/sample-template.ts';
import { apkRepository, makeApkKey, type ApkPackage } from '../../support/stand-in-apk.ts';
import { standIn, type StandIn } from '../../support/stand-in.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const DATA = process.env['INGOT_TEST_DATA'] ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url));
const TARBALL = join(DATA, 'alpine-minirootfs-3.20.3-x86_64.tar.gz');
const reason = whyNot() ?? (existsSync(TARBALL) ? missingPrograms(['tar']) : `there is no ${TARBALL}`);

const NO_SYSTEM: ResolvedSystem = SAMPLE_TEMPLATE.system;
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7tB5hHgWzSkLfKt3GiV9Ev0BSfaIbhGxZtZD4x2b0n deploy';
const HASH = '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/';

const key = makeApkKey('tester@example.invalid-5f3a1c');
const another = makeApkKey('another@example.invalid-5f3a1d');
const service = (name: string): string => `#!/sbin/openrc-run\ncommand=/usr/bin/${name}\ndescription="stands for ${name}"\n`;
const partOf = (path: string): Buffer => execFileSync('tar', ['-xzOf', TARBALL, `.${path}`]);
const SHELL =
  reason === undefined
    ? Object.fromEntries(
        Object.entries({
          '/bin/sh': '/bin/busybox',
          '/lib/ld-musl-x86_64.so.1': '/lib/ld-musl-x86_64.so.1',
          '/lib/libc.musl-x86_64.so.1': '/lib/ld-musl-x86_64.so.1',
        }).map(([path, from]) => [path, { content: partOf(from), mode: 0o755 }]),
      )
    : {};
const packages = (version: string): ApkPackage[] => [
  {
    name: 'greeter',
    version,
    depends: ['greeter-data', 'busybox'],
    files: { '/usr/bin/greeter': { content: `#!/bin/sh\necho ${version}\n`, mode: 0o755 } },
    postInstall: '#!/bin/sh\necho "$1" >/etc/greeter.state\n',
  },
  // A shell for the package's script in an empty root; older than the root's own, which it is a part of.
  { name: 'busybox', version: '0-r0', files: SHELL },
  { name: 'greeter-data', version, files: { '/usr/share/greeter/data': version } },
  { name: 'sudo', version: '1.9-r0', files: { '/usr/sbin/visudo': { content: '#!/bin/sh\ngrep -q "ALL" "$3"\n', mode: 0o755 } } },
  { name: 'tzdata', version: '2026-r0', files: { '/usr/share/zoneinfo/Europe/Zurich': 'TZif', '/usr/share/zoneinfo/Europe/Vienna': 'TZif' } },
  { name: 'musl-locales', version: '0-r0', files: { '/usr/share/i18n/locales/musl/de_CH.UTF-8': '', '/usr/share/i18n/locales/musl/de_DE.UTF-8': '' } },
];
const FILES = {
  ...apkRepository({ at: 'old/v3.20/main', packages: packages('1.0-r0'), key }),
  ...apkRepository({ at: 'new/v3.20/main', packages: packages('2.0-r0'), key }),
  ...apkRepository({ at: 'unsigned/v3.20/main', packages: packages('3.0-r0') }),
  ...apkRepository({ at: 'forged/v3.20/main', packages: packages('3.0-r0'), key: { ...another, name: key.name } }),
  ...apkRepository({ at: 'stranger/v3.20/main', packages: packages('3.0-r0'), key: another }),
  'damaged/v3.20/main/x86_64/APKINDEX.tar.gz': Buffer.from('this is no index'),
};

describe.skipIf(reason !== undefined)(`the Alpine family with a real apk${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const record = new FamilyRecord('alpine');
  let home: TestHome;
  let at: StandIn;
  let inside: FamilyRoot;
  let apk = '';
  let busybox = '';

  const repository = (name: string, uri = name): PackageRepository => ({
    name,
    uri: `${at.url}/${uri}`,
    suites: ['v3.20'],
    components: ['main'],
    key: key.publicKey,
    keyName: key.name,
  });
  /** Only this repository, and whatever the root has of its own is left out. */
  const only = async (one: PackageRepository): Promise<void> => {
    await inside.shell('rm -rf /etc/apk/repositories.d; : >/etc/apk/repositories');
    await inside.apply(alpine.repositories([one]));
  };
  const failure = async (work: Promise<unknown>): Promise<string> => {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'command-failed' });
    return String(Object(error).detail);
  };

  beforeAll(async () => {
    home = await TestHome.make();
    at = await standIn({ files: FILES });
    inside = await openFamilyRoot(await home.context(), (executor, folder) => executor.run(['tar', '-xzf', TARBALL, '-C', folder]));
    apk = (await inside.shell('apk --version')).split(',')[0] ?? '';
    busybox = /BusyBox v[0-9.]+/.exec(await inside.shell('busybox 2>&1 | head -n 1'))?.[0] ?? '';
  });

  afterAll(async () => {
    await inside[Symbol.asyncDispose]();
    await at[Symbol.asyncDispose]();
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
    record.save();
  });

  test('packages are installed with what they need, updated, and removed with what only they needed', async () => {
    await only(repository('tests', 'old'));
    await inside.run(alpine.install(['greeter']), { network: true });
    expect(await inside.shell('greeter; cat /etc/greeter.state /usr/share/greeter/data')).toBe('1.0-r0\n1.0-r0\n1.0-r0');
    record.ran('install', apk);
    record.ran('repositories', apk);
    await only(repository('tests', 'new'));
    await inside.run(alpine.update('all'), { network: true });
    expect(await inside.shell('greeter; cat /usr/share/greeter/data')).toBe('2.0-r0\n2.0-r0');
    record.ran('update', apk);
    expect(() => alpine.update('security')).toThrow('apk does not tell security updates from others');
    await inside.run(alpine.remove(['greeter']));
    expect(await inside.shell('ls /usr/bin/greeter /usr/share/greeter 2>/dev/null | wc -l')).toBe('0\n');
    record.ran('remove', apk);
    expect(await failure(inside.run(alpine.install(['greetre']), { network: true }))).toContain('greetre (no such package)');
  });

  test('what is not signed, or by another key, is refused', async () => {
    await only(repository('tests', 'unsigned'));
    expect(await failure(inside.run(alpine.install(['greeter']), { network: true }))).toContain('UNTRUSTED signature');
    record.ran('refuse-unsigned', apk);
    await only(repository('tests', 'stranger'));
    expect(await failure(inside.run(alpine.install(['greeter']), { network: true }))).toContain('UNTRUSTED signature');
    await only(repository('tests', 'forged'));
    expect(await failure(inside.run(alpine.install(['greeter']), { network: true }))).toMatch(/BAD signature/);
    expect(await inside.shell('ls /usr/bin/greeter 2>/dev/null | wc -l')).toBe('0\n');
    record.ran('refuse-wrong-key', apk);
  });

  test('a repository that is gone or damaged stops the build, even beside one that is well', async () => {
    await only(repository('tests', 'gone'));
    await inside.apply(alpine.repositories([repository('well', 'new')]));
    expect(await failure(inside.run(alpine.install(['greeter']), { network: true }))).toContain('gone/v3.20/main');
    await only(repository('tests', 'damaged'));
    expect(await failure(inside.run(alpine.install(['greeter']), { network: true }))).toContain('damaged/v3.20/main');
    record.ran('report-broken', apk);
  });

  test('packages come into an empty root, with signatures checked', async () => {
    const make = async (one: PackageRepository, root: string): Promise<void> => {
      const { files, commands } = alpine.bootstrap?.({ root, packages: ['greeter'], repositories: [one], arch: 'amd64', version: '3.20' }) ?? {
        files: [],
        commands: [],
      };
      await inside.shell(`mkdir ${root}`);
      await inside.root.writeFiles(files);
      await inside.run(commands, { network: true });
    };
    await make(repository('tests', 'new'), '/mnt/new');
    expect(
      await inside.shell('cat /mnt/new/etc/apk/world /mnt/new/usr/share/greeter/data; ls /mnt/new/etc/apk/keys /mnt/new/bin; cat /mnt/new/etc/greeter.state'),
    ).toBe(`greeter\n2.0-r0/mnt/new/bin:\nsh\n\n/mnt/new/etc/apk/keys:\n${key.name}\n2.0-r0\n`);
    expect(await failure(make(repository('tests', 'stranger'), '/mnt/stranger'))).toContain('UNTRUSTED signature');
    record.ran('bootstrap', apk);
    await inside.shell('rm -rf /mnt/new /mnt/stranger');
  });

  test('accounts are made, changed, and can log in by key alone', async () => {
    await only(repository('tests', 'new'));
    const release = { defaultUser: 'alpine' };
    const deploy = { name: 'deploy', uid: 1500, comment: 'Puts things there', groups: ['www', 'wheel'], sudo: true, system: false, sshKeys: [KEY] };
    const changes = alpine.users([deploy, { name: 'worker', groups: [], sudo: false, system: true, sshKeys: [] }], release);
    await inside.apply(changes, { family: alpine });
    expect(
      await inside.shell('grep -E "^(deploy|worker):" /etc/passwd; id -Gn deploy; grep deploy /etc/shadow; cat /home/deploy/.ssh/authorized_keys'),
    ).toMatch(
      /^deploy:x:1500:1500:Puts things there:\/home\/deploy:\/bin\/(ba|a)?sh\nworker:x:\d+:\d+::\/nonexistent:\/sbin\/nologin\ndeploy wheel www\ndeploy:\*::0:99999:7:::\nssh-ed25519 /,
    );
    expect(await inside.shell('stat -c "%a %U %G" /home/deploy /home/deploy/.ssh /home/deploy/.ssh/authorized_keys')).toMatch(
      /^\d+ deploy deploy\n700 deploy deploy\n600 deploy deploy\n$/,
    );
    const password = { secret: 'hash', fingerprint: 'f' };
    await inside.apply(
      alpine.users([{ ...deploy, uid: 1600, shell: '/bin/sh', comment: 'Other', groups: ['www'], sudo: false, passwordHash: password }], release),
      {
        secrets: { hash: `${HASH}\n` },
      },
    );
    expect(await inside.shell('grep "^deploy:" /etc/passwd /etc/shadow; stat -c %u /home/deploy/.ssh; ls /etc/sudoers.d')).toBe(
      `/etc/passwd:deploy:x:1600:1500:Other:/home/deploy:/bin/sh\n/etc/shadow:deploy:${HASH}::0:99999:7:::\n1600\n`,
    );
    const taken = alpine.users([{ name: 'late', uid: 1600, groups: [], sudo: false, system: false, sshKeys: [] }], release);
    expect(await failure(inside.apply(taken))).toContain('cannot have the number 1600: deploy has it');
    record.ran('users', `${busybox}; sudo is a stand-in`);
  });

  test('host name, time zone, locale and proxies', async () => {
    await only(repository('tests', 'new'));
    const system: ResolvedSystem = {
      ...NO_SYSTEM,
      hostname: 'web.example.org',
      timezone: 'Europe/Zurich',
      locale: 'de_CH.UTF-8',
      sysctl: { 'net.ipv4.ip_forward': 1 },
      proxy: { http: 'http://proxy.example.org:3128', 'no-proxy': ['localhost', '.example.org'] },
    };
    await inside.apply(alpine.system(system, { defaultUser: 'alpine' }), { family: alpine });
    expect(
      await inside.shell(
        'cat /etc/hostname; readlink /etc/localtime; . /etc/profile.d/90-ingot-locale.sh; . /etc/rc.conf.d/90-ingot-proxy.conf; echo $LANG $http_proxy $NO_PROXY; [ ! -e /etc/systemd ]',
      ),
    ).toBe('web.example.org\n/usr/share/zoneinfo/Europe/Zurich\nde_CH.UTF-8 http://proxy.example.org:3128 localhost,.example.org\n');
    const wrong = alpine.system({ ...NO_SYSTEM, timezone: 'Europe/Zuerich', locale: 'de_AT.UTF-8' }, { defaultUser: 'alpine' });
    expect(await failure(inside.apply(wrong))).toContain('There is no time zone Europe/Zuerich in the image. The nearest are Europe/Zurich');
    expect(() => alpine.system({ ...NO_SYSTEM, 'automatic-updates': 'all' }, { defaultUser: 'alpine' })).toThrow(
      'Alpine has nothing that installs updates by itself',
    );
    record.ran('hostname', busybox);
    record.ran('localization', `${busybox}; zones and locales are stand-ins, keyboard not run`);
    record.ran('proxy', busybox);
  });

  test('kernel arguments go to every entry, and to where new entries get theirs', async () => {
    await inside.root.writeFiles([
      { path: '/boot/extlinux.conf', content: 'LABEL virt\n  LINUX vmlinuz-virt\n  APPEND root=UUID=1 quiet\n', mode: '0644' },
      { path: '/boot/grub/grub.cfg', content: 'menuentry "A" {\n\tlinux\t/boot/vmlinuz root=UUID=1 ro\n\tinitrd /boot/initramfs\n}\n', mode: '0644' },
      { path: '/etc/update-extlinux.conf', content: 'timeout=1\ndefault_kernel_opts="quiet"\nroot=UUID=1\n', mode: '0644' },
      { path: '/etc/default/grub', content: 'GRUB_CMDLINE_LINUX=""\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n', mode: '0644' },
    ]);
    await inside.run(alpine.boot(['quiet', 'console=ttyS0']));
    await inside.run(alpine.boot(['console=ttyS0']));
    expect(await inside.shell('cat /boot/extlinux.conf /boot/grub/grub.cfg /etc/update-extlinux.conf /etc/default/grub')).toBe(
      [
        'LABEL virt\n  LINUX vmlinuz-virt\n  APPEND root=UUID=1 quiet console=ttyS0',
        'menuentry "A" {\n\tlinux\t/boot/vmlinuz root=UUID=1 ro quiet console=ttyS0\n\tinitrd /boot/initramfs\n}',
        'timeout=1\ndefault_kernel_opts="quiet console=ttyS0"\nroot=UUID=1',
        'GRUB_CMDLINE_LINUX="quiet console=ttyS0"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n',
      ].join('\n'),
    );
    await inside.shell('rm -r /boot/extlinux.conf /boot/grub');
    expect(await failure(inside.run(alpine.boot(['quiet'])))).toContain('No boot entries are in the image');
    expect(alpine.boot([])).toEqual([]);
    record.ran('boot', `${busybox}; kernel arguments alone`);
  });

  test('the seal takes what a clone must not have', async () => {
    await inside.shell(
      'mkdir -p /etc/ssh /var/lib/seedrng /var/log/nginx; for f in /etc/ssh/ssh_host_rsa_key /etc/machine-id /var/lib/seedrng/seed.credit /var/log/nginx/access.log /var/cache/apk/x /root/.ash_history; do echo x >$f; done',
    );
    await inside.run(alpine.seal.commands);
    await inside.seal(alpine.seal.layer);
    expect(
      await inside.shell(
        'find /etc/ssh /etc/machine-id /var/lib/seedrng /var/log /var/cache/apk /root /etc/shadow- ! -type d 2>/dev/null || true; ls -d /var/log/nginx',
      ),
    ).toBe('/var/log/nginx\n');
    record.ran('seal', busybox);
  });

  test('services are switched by a real OpenRC', async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'ingot-openrc-'));
    try {
      // apt-get downloads as a user of its own, which cannot write here, and only warns of it.
      execFileSync('apt-get', ['download', '-q', 'openrc', 'librc1', 'libeinfo1'], { cwd: folder, stdio: 'pipe' });
    } catch {
      await rm(folder, { recursive: true });
      skip("apt-get cannot download Debian's openrc here");
    }
    const debs = readdirSync(folder);
    const version = /^openrc_([^_-]+)/.exec(debs.find((name) => name.startsWith('openrc_')) ?? '')?.[1];
    await using other = await openFamilyRoot(await home.context(), async (executor, root) => {
      await hostUserland(executor, root);
      for (const deb of debs)
        await executor.run(['sh', '-ec', 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"', 'sh', hostPath(join(folder, deb)), root]);
      await executor.run(['sh', '-ec', 'mkdir -p "$1/etc/runlevels/default" "$1/etc/runlevels/boot"', 'sh', root]);
    });
    await rm(folder, { recursive: true });
    await other.root.writeFiles(['nginx', 'sshd', 'chronyd'].map((name) => ({ path: `/etc/init.d/${name}`, content: service(name), mode: '0755' })));
    const held = async (): Promise<string> => await other.shell('cd /etc/runlevels; ls -d */nginx */sshd 2>/dev/null || true');
    await other.apply(alpine.services('nginx', 'enabled'));
    await other.apply(alpine.services('nginx.service', 'enabled'));
    await other.shell('rc-update --quiet add sshd boot');
    await other.apply(alpine.services('sshd', 'enabled'));
    expect(await held()).toBe('boot/sshd\ndefault/nginx\n');
    await other.apply(alpine.services('nginx', 'disabled'));
    await other.apply(alpine.services('sshd', 'masked'));
    await other.apply(alpine.services('sshd', 'masked'));
    expect(await held()).toBe('');
    expect(await failure(other.apply(alpine.services('ngixn', 'enabled')))).toContain('There is no service ngixn in the image. The nearest are nginx.');
    record.ran('services', `openrc ${version} of Debian`);
  });
});
