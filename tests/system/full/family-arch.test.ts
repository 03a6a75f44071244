import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { arch } from '../../../src/families/arch/family.ts';
import type { PackageRepository, ResolvedSystem } from '../../../src/template/template.ts';
import { FamilyRecord } from '../../support/family-results.ts';
import { hostUserland, missingPrograms, openFamilyRoot, type FamilyRoot } from '../../support/family-root.ts';
import { SAMPLE_TEMPLATE } from '../../support/sample-template.ts';
import { PacmanKeys, pacmanRepository, type PacmanKey, type PacmanPackage } from '../../support/stand-in-pacman.ts';
import { standIn, type StandIn } from '../../support/stand-in.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const reason = whyNot() ?? missingPrograms(['pacman', 'pacman-key', 'repo-add', 'gpg', 'systemctl', 'useradd', 'visudo', 'locale-gen']);

const NO_SYSTEM: ResolvedSystem = SAMPLE_TEMPLATE.system;
const RELEASE = { defaultUser: 'arch' };
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7tB5hHgWzSkLfKt3GiV9Ev0BSfaIbhGxZtZD4x2b0n deploy';

const UNIT = '[Unit]\nDescription=Greets\n[Service]\nExecStart=/usr/bin/greeter\n[Install]\nWantedBy=multi-user.target\n';
const packages = (version: string): PacmanPackage[] => [
  {
    name: 'greeter',
    version,
    depends: ['greeter-data'],
    files: {
      '/usr/bin/greeter': { content: `#!/bin/sh\necho ${version}\n`, mode: 0o755 },
      '/usr/lib/systemd/system/greeter.service': UNIT,
      '/etc/greeter.conf': 'a=b\n',
    },
    install: 'post_install() { echo "installed $1" >/etc/greeter.state; }\npost_upgrade() { echo "upgraded $1" >/etc/greeter.state; }\n',
  },
  { name: 'greeter-data', version, files: { '/usr/share/greeter/data': version } },
  {
    name: 'basis',
    version: '1-1',
    files: { '/etc/basis': 'x\n', '/etc/pacman.conf': '[options]\nArchitecture = auto\n\n[tests]\nServer = https://old.example.invalid\n' },
  },
];

/** How pacman words its refusals. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['unsigned', /failed retrieving file 'greeter-3.0-1-any.pkg.tar.gz.sig'[^]*failed to commit/],
  ['unsigned-list', /failed retrieving file 'tests.db.sig'[^]*failed to synchronize/],
  ['stranger', /required key missing from keyring/],
  ['stranger-list', /invalid or corrupted database \(PGP signature\)/],
];

describe.skipIf(reason !== undefined)(`the Arch family with a real pacman${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const record = new FamilyRecord('arch');
  let home: TestHome;
  let at: StandIn;
  let inside: FamilyRoot;
  let key: PacmanKey;
  let stranger: PacmanKey;
  let pacman = '';

  const repository = (path: string): PackageRepository => ({ name: 'tests', uri: `${at.url}/${path}`, suites: [], components: [], key: key.publicKey });
  const only = async (one: PackageRepository): Promise<void> => {
    await inside.shell('rm -rf /etc/pacman.conf.d /etc/pacman.d/ingot-keys /var/lib/pacman/sync/*');
    await inside.apply(arch.repositories([one]));
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
    await using keys = await PacmanKeys.make();
    key = await keys.key('tester');
    stranger = await keys.key('stranger');
    const files = await Promise.all([
      pacmanRepository(keys, { at: 'old', name: 'tests', packages: packages('1.0-1'), key, databaseKey: key }),
      pacmanRepository(keys, { at: 'new', name: 'tests', packages: packages('2.0-1'), key, databaseKey: key }),
      pacmanRepository(keys, { at: 'unsigned', name: 'tests', packages: packages('3.0-1'), databaseKey: key }),
      pacmanRepository(keys, { at: 'unsigned-list', name: 'tests', packages: packages('3.0-1'), key }),
      pacmanRepository(keys, { at: 'stranger', name: 'tests', packages: packages('3.0-1'), key: stranger, databaseKey: key }),
      pacmanRepository(keys, { at: 'stranger-list', name: 'tests', packages: packages('3.0-1'), key, databaseKey: stranger }),
    ]);
    const all: Record<string, Buffer> = Object.assign({}, ...files);
    at = await standIn({ files: { ...all, 'damaged/tests.db': Buffer.from('this is no database'), 'damaged/tests.db.sig': all['old/tests.db.sig'] ?? '' } });
    inside = await openFamilyRoot(await home.context(), async (executor, folder) => {
      await hostUserland(executor, folder);
      const conf = '[options]\nHoldPkg = pacman glibc\nArchitecture = auto\nCheckSpace\nSigLevel = Required DatabaseOptional\nLocalFileSigLevel = Optional\n';
      await executor.run(['sh', '-ec', 'mkdir -p "$1/var/lib/pacman" "$1/var/cache/pacman/pkg" "$1/etc/pacman.d"; cat >"$1/etc/pacman.conf"', 'sh', folder], {
        stdin: conf,
      });
    });
    pacman = `pacman ${/Pacman v([0-9.]+)/.exec(await inside.shell('pacman --version'))?.[1] ?? ''}`;
  });

  afterAll(async () => {
    await inside[Symbol.asyncDispose]();
    await at[Symbol.asyncDispose]();
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
    record.save();
  });

  test('packages are installed with what they need, updated, and removed with what only they needed', async () => {
    await only(repository('old'));
    await inside.run(arch.install(['greeter']), { network: true });
    expect(await inside.shell('greeter; cat /etc/greeter.state /usr/share/greeter/data')).toBe('1.0-1\ninstalled 1.0-1\n1.0-1');
    expect(await inside.shell('grep -c "^Include = /etc/pacman.conf.d" /etc/pacman.conf')).toBe('1\n');
    record.ran('install', pacman);
    record.ran('repositories', pacman);
    await only(repository('new'));
    await inside.run(arch.update('all'), { network: true });
    expect(await inside.shell('cat /etc/greeter.state /usr/share/greeter/data')).toBe('upgraded 2.0-1\n2.0-1');
    record.ran('update', pacman);
    expect(() => arch.update('security')).toThrow('pacman does not tell security updates from others');
    await inside.run(arch.remove(['greeter']));
    expect(await inside.shell('ls /usr/bin/greeter /usr/share/greeter /etc/greeter.conf 2>/dev/null | wc -l')).toBe('0\n');
    record.ran('remove', pacman);
    expect(await failure(inside.run(arch.install(['greetre']), { network: true }))).toContain('target not found: greetre');
  });

  test('what is not signed, or by another key, is refused: packages, and lists of packages', async () => {
    for (const [path, said] of REFUSED) {
      await only(repository(path));
      expect(await failure(inside.run(arch.install(['greeter']), { network: true })), path).toMatch(said);
    }
    // pacman may fetch a key that it does not know, and nobody is there to say no: what the machine has not signed is refused all the same.
    await only(repository('stranger'));
    await inside.root.writeFiles([{ path: '/root/stranger.asc', content: stranger.publicKey, mode: '0644' }]);
    await inside.shell('pacman-key --add /root/stranger.asc 2>&1');
    expect(await failure(inside.run(arch.install(['greeter']), { network: true }))).toMatch(/is unknown trust/);
    expect(await inside.shell('ls /usr/bin/greeter 2>/dev/null | wc -l')).toBe('0\n');
    record.ran('refuse-unsigned', pacman);
    record.ran('refuse-wrong-key', pacman);
  });

  test('a repository that is gone or damaged stops the build', async () => {
    await only(repository('gone'));
    expect(await failure(inside.run(arch.install(['greeter']), { network: true }))).toMatch(/failed retrieving file 'tests.db'.*404[^]*failed to synchronize/);
    await only(repository('damaged'));
    expect(await failure(inside.run(arch.install(['greeter']), { network: true }))).toMatch(/invalid|corrupted/);
    record.ran('report-broken', pacman);
  });

  test('packages come into an empty root, with signatures checked, and no secret key stays there', async () => {
    const make = async (one: PackageRepository, root: string): Promise<void> => {
      const { files, commands } = arch.bootstrap?.({ root, packages: ['basis', 'greeter-data'], repositories: [one], arch: 'amd64', version: 'rolling' }) ?? {
        files: [],
        commands: [],
      };
      await inside.shell(`mkdir ${root}`);
      await inside.root.writeFiles(files);
      await inside.run(commands, { network: true });
    };
    await make(repository('new'), '/mnt/new');
    expect(await inside.shell('cd /mnt/new; cat usr/share/greeter/data etc/basis; ls var/lib/pacman/local etc/pacman.d; cat etc/pacman.conf')).toBe(
      `2.0-1x\netc/pacman.d:\ningot-keys\n\nvar/lib/pacman/local:\nALPM_DB_VERSION\nbasis-1-1\ngreeter-data-2.0-1\n[options]\nArchitecture = auto\n\n\nInclude = /etc/pacman.conf.d/*.conf\n`,
    );
    expect(await failure(make(repository('stranger'), '/mnt/stranger'))).toMatch(/unknown trust|unknown key|invalid or corrupted|required key missing/);
    record.ran('bootstrap', pacman);
    await inside.shell('rm -rf /mnt/new /mnt/stranger');
  });

  test('services, accounts and the system are set as on every distribution with systemd', async () => {
    await only(repository('new'));
    await inside.run(arch.install(['greeter']), { network: true });
    await inside.apply(arch.services('greeter', 'enabled'));
    expect(await inside.shell('readlink /etc/systemd/system/multi-user.target.wants/greeter.service')).toBe('/lib/systemd/system/greeter.service\n');
    await inside.apply(arch.services('greeter', 'masked'));
    expect(await inside.shell('readlink /etc/systemd/system/greeter.service')).toBe('/dev/null\n');
    await inside.apply(arch.services('greeter', 'disabled'));
    expect(await failure(inside.apply(arch.services('greter', 'enabled')))).toContain('The nearest are greeter');
    record.ran('services', 'systemctl of Debian');
    const deploy = { name: 'deploy', uid: 1500, groups: ['wheel'], sudo: true, system: false, sshKeys: [KEY] };
    await inside.apply(arch.users([deploy], RELEASE));
    expect(await inside.shell('id deploy; grep -c ssh-ed25519 /home/deploy/.ssh/authorized_keys; cat /etc/sudoers.d/90-ingot-deploy')).toMatch(
      /^uid=1500\(deploy\) gid=1500\(deploy\) groups=.*\(wheel\)\n1\ndeploy ALL=/,
    );
    record.ran('users', 'shadow and sudo of Debian');
  });

  test('host name, time zone, locale, time servers and proxies', async () => {
    // As Arch has it: every locale behind a #, below words.
    await inside.root.writeFiles([
      {
        path: '/etc/locale.gen',
        content: '# Configuration file for locale-gen\n#  en_US ISO-8859-1\n#de_CH.UTF-8 UTF-8  \n#de_DE.UTF-8 UTF-8  \n',
        mode: '0644',
      },
    ]);
    const system: ResolvedSystem = {
      ...NO_SYSTEM,
      hostname: 'web',
      timezone: 'Europe/Zurich',
      locale: 'de_CH.UTF-8',
      ntp: ['ntp.example.org'],
      proxy: { http: 'http://proxy.example.org:3128', 'no-proxy': [] },
    };
    await inside.apply(arch.system(system, RELEASE));
    expect(
      await inside.shell(
        'cat /etc/hostname /etc/locale.conf /etc/locale.gen; readlink /etc/localtime; locale -a | grep -c de_CH; grep -c http_proxy /etc/environment',
      ),
    ).toBe('web\nLANG=de_CH.UTF-8\nde_CH.UTF-8 UTF-8\n/usr/share/zoneinfo/Europe/Zurich\n1\n1\n');
    await inside.root.writeFiles([{ path: '/etc/locale.gen', content: '#de_CH.UTF-8 UTF-8\n', mode: '0644' }]);
    expect(await failure(inside.apply(arch.system({ ...NO_SYSTEM, locale: 'de_XX.UTF-8' }, RELEASE)))).toContain(
      'There is no locale de_XX.UTF-8. The nearest are de_',
    );
    expect(() => arch.system({ ...NO_SYSTEM, 'automatic-updates': 'all' }, RELEASE)).toThrow('Arch has nothing that installs updates by itself');
    record.ran('hostname', 'files alone');
    record.ran('localization', 'locale-gen of Debian; keyboard not run');
    record.ran('ntp', 'systemctl of Debian');
    record.ran('proxy', 'grep and sh of Debian');
  });

  test('a new initramfs gets the modules of every machine, and kernel arguments go to each entry of systemd-boot', async () => {
    await inside.root.writeFiles([
      { path: '/etc/mkinitcpio.conf', content: '# HOOKS=(autodetect x)\nHOOKS=(base udev autodetect microcode modconf block filesystems)\n', mode: '0644' },
      { path: '/boot/loader/entries/arch.conf', content: 'title Arch\nlinux /vmlinuz-linux\noptions root=UUID=1 rw\n', mode: '0644' },
      { path: '/etc/kernel/cmdline', content: 'root=UUID=1 rw\n', mode: '0644' },
    ]);
    await inside.run(arch.update('all'), { network: true });
    await inside.run(arch.boot(['console=ttyS0', 'quiet']));
    expect(await inside.shell('cat /etc/mkinitcpio.conf /boot/loader/entries/arch.conf /etc/kernel/cmdline')).toBe(
      '# HOOKS=(autodetect x)\nHOOKS=(base udev microcode modconf block filesystems)\ntitle Arch\nlinux /vmlinuz-linux\noptions root=UUID=1 rw console=ttyS0 quiet\nroot=UUID=1 rw console=ttyS0 quiet\n',
    );
    record.ran('boot', 'awk and sed of Debian; kernel arguments and hooks alone, mkinitcpio not run');
  });

  test('the seal takes the keyring and what else a clone must not have; each clone makes a keyring of its own', async () => {
    const master = 'gpg --homedir /etc/pacman.d/gnupg --list-secret-keys --with-colons 2>/dev/null | awk -F : \'$1 == "fpr" { print $10; exit }\'';
    const before = await inside.shell(master);
    expect(before).toMatch(/^[0-9A-F]{40}\n$/);
    await inside.run(arch.seal.commands);
    await inside.seal(arch.seal.layer);
    expect(await inside.shell('ls -d /etc/pacman.d/gnupg /var/lib/pacman/sync/* /var/cache/pacman/pkg/* 2>/dev/null || true; wc -c </etc/machine-id')).toBe(
      '0\n',
    );
    expect(await inside.shell('readlink /etc/systemd/system/multi-user.target.wants/ingot-pacman-keyring.service')).toBe(
      '/etc/systemd/system/ingot-pacman-keyring.service\n',
    );
    // What the unit runs at the first boot.
    await inside.shell('/usr/lib/ingot/pacman-keyring 2>&1');
    expect(await inside.shell(master)).not.toBe(before);
    await inside.run([{ label: 'as a user does', argv: ['pacman', '-Syu', '--noconfirm', 'basis', '--overwrite', '*'] }], { network: true });
    record.ran('seal', `${pacman}, systemctl of Debian`);
  });
});
