import { expect, test } from 'vitest';
import type { HostPath } from '../../src/base/types.ts';
import type { Family } from '../../src/families/family.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';
import type { ResolvedSystem } from '../../src/template/template.ts';
import type { FamilyOperation } from '../../tools/family-results.ts';
import { errorOf, runAll, said, type FamilyLab } from './family-lab.ts';
import type { RpmLab } from './rpm-lab.ts';
import { SAMPLE_TEMPLATE } from './sample-template.ts';

/** What both families that use rpm are asked in the same words; their own tests open the lab first. */
export interface RpmFamily {
  readonly family: Family;
  readonly lab: () => FamilyLab;
  readonly rpms: () => RpmLab;
  /** The image with the repositories `distribution` and `hello`. */
  readonly ready: () => readonly HostPath[];
  readonly ran: (operation: FamilyOperation) => void;
  /** What the manager says of each fault. */
  readonly faults: { readonly unknown: RegExp; readonly unsigned: RegExp; readonly wrongKey: RegExp; readonly damaged: RegExp; readonly missing: RegExp };
  /** Folder of its caches. */
  readonly cache: string;
  /** Version of a release, for a new root. */
  readonly version: string;
  /** The package and the unit that make the network. */
  readonly network: string;
}

/** With what the operations are run that are not the package manager's, with Debian's versions. */
export async function otherPrograms(workspace: Workspace): Promise<Record<string, string>> {
  const names = ['systemd', 'passwd', 'sudo', 'openssh-server', 'chrony', 'firewalld', 'dracut-core', 'policycoreutils'];
  const lines = (await said(workspace, `dpkg-query -W -f '\${Package} \${Version}\\n' ${names.join(' ')}`)).split('\n');
  const version = (name: string): string => (lines.find((line) => line.startsWith(`${name} `)) ?? name).replace(/^(\S+) ([0-9]+:)?/, '$1 ');
  return {
    services: version('systemd'),
    users: `${version('passwd')}, ${version('sudo')}`,
    hostname: 'files alone',
    localization: 'shell alone; locales and keymaps are stand-ins',
    sshd: `${version('openssh-server')}; semanage is a stand-in`,
    ntp: version('chrony'),
    'automatic-updates': `${version('systemd')}; nothing was updated`,
    proxy: 'files alone',
    network: `${version('systemd')}; what makes the network is a stand-in`,
    firewall: version('firewalld'),
    kernel: version('systemd'),
    boot: `${version('dracut-core')}; boot entries by shell alone`,
    labels: `${version('policycoreutils')}, with a policy of two lines`,
  };
}

export const systemOf = (more: Partial<ResolvedSystem>): ResolvedSystem => ({ ...SAMPLE_TEMPLATE.system, ...more });

const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDeVUwQ2wB8wZq0j7mY3m4yYfA3u0F7s0l4m1r2t3u4v me@home';

/** Tests of packages, repositories and roots. */
export function packageTests(given: RpmFamily): void {
  const { family, lab, rpms, ready, ran, faults, cache } = given;

  test('packages come with what they need, and run their scripts; the layer is sealed, and they go again', async () => {
    // The shell stays: zypper cannot read a database that has become empty.
    await using workspace = await lab().open(await lab().build({ packages: ['hello-service', 'shell'] }, ready()));
    expect(await said(workspace, 'rpm -q hello-service hello-data')).toBe('hello-service-1-1.noarch\nhello-data-1-1.noarch');
    expect(await said(workspace, 'cat /var/lib/hello-scripts; hello; id -nu hello')).toBe('1 installed\nhello from 1\nhello');
    ran('repositories');
    ran('install');
    expect(await said(workspace, `[ ! -d ${cache} ] || ls -A ${cache}; find /var/log -type f; ls /etc/rpm; cat /etc/machine-id`)).toBe('macros.dist');
    ran('seal');
    await workspace.root.writeFiles(family.quiet);
    await runAll(workspace, family.remove(['hello-service']));
    expect(await said(workspace, 'rpm -q hello-service hello-data || true; tail -n 1 /var/lib/hello-scripts')).toBe(
      'package hello-service is not installed\npackage hello-data is not installed\ngone 0',
    );
    ran('remove');
  });

  test('a package that is not there is told', async () => {
    expect(await errorOf(lab().build({ packages: ['hello-servce'] }, ready()))).toMatch(faults.unknown);
  });

  test('security updates are those with an advisory, and all are all; a changed configuration file stays', async () => {
    const disk = await lab().build({ packages: ['hello-service'] }, ready());
    await using workspace = await lab().open(await lab().build({ system: systemOf({ repositories: [rpms().repository('newer')] }), update: 'security' }, disk));
    expect(await said(workspace, 'rpm -q hello-service hello-data; hello')).toBe('hello-service-1-1.noarch\nhello-data-2-1.noarch\nhello from 2');
    ran('security-updates');
    await said(workspace, 'echo changed >>/etc/hello.conf');
    await workspace.root.writeFiles(family.quiet);
    await runAll(workspace, family.update('all'), { network: true });
    expect(await said(workspace, 'rpm -q hello-service; tail -n 2 /var/lib/hello-scripts; tail -n 1 /etc/hello.conf')).toBe(
      'hello-service-2-1.noarch\n2 installed\ngone 1\nchanged',
    );
    ran('update');
  });

  test.each([
    ['refuse-unsigned', 'unsigned', 'unsigned-package', faults.unsigned],
    ['refuse-wrong-key', 'wrong-key', 'wrong-package', faults.wrongKey],
    ['report-broken', 'damaged', 'damaged-package', faults.damaged],
    ['report-broken', 'missing', 'hello-data', faults.missing],
  ] as const)('%s: of the repository %s nothing is installed, and why is told', async (operation, repository, name, reason) => {
    const repositories = [rpms().repository(repository)];
    expect(await errorOf(lab().build({ system: systemOf({ repositories }), packages: [name] }, ready()))).toMatch(reason);
    ran(operation);
  });

  test('packages go into an empty root with their scripts; what another key signed does not', async () => {
    await using workspace = await lab().open();
    const into = async (root: string, packages: readonly string[], repositories: readonly string[]): Promise<void> => {
      const request = { root, packages, repositories: repositories.map((name) => rpms().repository(name)), arch: 'amd64', version: given.version };
      const made = family.bootstrap?.(request) ?? { files: [], commands: [] };
      await workspace.root.writeFiles(made.files);
      await runAll(workspace, made.commands, { network: true });
    };
    await into('/srv/root', ['first'], ['root']);
    expect(await said(workspace, 'chroot /srv/root /bin/sh -c "read line </etc/first-script; echo \\$line"; rpm --root /srv/root -q first shell-files')).toBe(
      'script of first\nfirst-1-1.noarch\nshell-files-1-1.noarch',
    );
    expect(await said(workspace, `[ ! -d /srv/root${cache} ] || find /srv/root${cache} -name '*.rpm'`)).toBe('');
    expect(await errorOf(into('/srv/bad', ['wrong-package'], ['wrong-key', 'root']))).toMatch(faults.wrongKey);
    expect(await said(workspace, 'rpm --root /srv/bad -q wrong-package || true')).toBe('package wrong-package is not installed');
    ran('bootstrap');
  });
}

const SELINUX = [
  { kind: 'file', path: '/etc/selinux/config', content: 'SELINUX=permissive\nSELINUXTYPE=targeted\n' },
  {
    kind: 'file',
    path: '/etc/selinux/targeted/contexts/files/file_contexts',
    content: '/.* system_u:object_r:default_t:s0\n/etc(/.*)? system_u:object_r:etc_t:s0\n',
  },
].map(({ path, content }) => ({ kind: 'file', label: path, path, content, mode: '0644', owner: 'root:root' }) as const);

/** Tests of what a template says of the system. */
export function systemTests({ family, lab, ready, ran, network }: RpmFamily): void {
  test('accounts, keys, sudo and services', async () => {
    const users = [{ name: 'web', comment: 'Web', groups: ['wheel'], sudo: true, system: false, sshKeys: [SSH_KEY] }];
    const step = (service: string, state: 'enabled' | 'disabled' | 'masked') => ({ kind: 'service', label: service, service, state }) as const;
    const steps = [step('hello', 'enabled'), step('sshd', 'disabled'), step('systemd-networkd', 'masked')];
    await using workspace = await lab().open(await lab().build({ packages: ['hello-service'], users, steps }, ready()));
    expect(await said(workspace, 'id web | cut -d " " -f 3; cat /home/web/.ssh/authorized_keys; sudo -l -U web | tail -n 1')).toMatch(
      new RegExp(`wheel\\)\\n${SSH_KEY.replaceAll(/[+/]/g, '.')}\\n.*NOPASSWD: ALL$`),
    );
    ran('users');
    const state = (unit: string): string => `systemctl --root=/ is-enabled ${unit} || true`;
    expect(await said(workspace, `${state('hello')}; ${state('ssh')}; ${state('systemd-networkd')}`)).toBe('enabled\ndisabled\nmasked');
    expect(await errorOf(lab().build({ steps: [step('helo', 'enabled')] }, ready()))).toContain('There is no unit helo.service in the image');
    ran('services');
  });

  test('the system section, in the image as its programs read it', async () => {
    const system = systemOf({
      hostname: 'web.example.org',
      timezone: 'Europe/Zurich',
      locale: 'de_CH.UTF-8',
      keymap: 'ch',
      sshd: { port: 2222, 'permit-root-login': 'no' },
      sysctl: { 'net.ipv4.ip_forward': 1 },
      ntp: ['ntp.example.org'],
      'automatic-updates': 'security',
      proxy: { http: 'http://proxy.example.org:3128', 'no-proxy': ['localhost'] },
      firewall: { open: ['80/tcp', '53/udp'] },
      selinux: 'enforcing',
    });
    const chain = await lab().build({ steps: SELINUX }, ready());
    await using workspace = await lab().open(await lab().build({ system }, chain));
    expect(await said(workspace, 'cat /etc/hostname; readlink /etc/localtime; cat /etc/locale.conf /etc/vconsole.conf')).toBe(
      'web.example.org\n/usr/share/zoneinfo/Europe/Zurich\nLANG=de_CH.UTF-8\nKEYMAP=ch',
    );
    ran('hostname');
    ran('localization');
    const sshd = 'mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N "" -f /tmp/key; sshd -T -h /tmp/key | grep -E "^(port|permitrootlogin) "';
    expect(await said(workspace, `${sshd}; cat /var/lib/semanage-calls`)).toBe(
      'port 2222\npermitrootlogin no\nport --noreload --add --type ssh_port_t --proto tcp 2222',
    );
    ran('sshd');
    expect(await said(workspace, 'chronyd -p -f /etc/chrony.conf | grep -E "^(server|pool)"; systemctl --root=/ is-enabled chronyd')).toBe(
      'server ntp.example.org iburst\nenabled',
    );
    ran('ntp');
    expect(await said(workspace, 'systemctl --root=/ list-unit-files --state=enabled --type=timer --plain --no-legend | cut -d " " -f 1')).toMatch(
      /^(dnf-automatic|ingot-updates)\.timer$/m,
    );
    ran('automatic-updates');
    expect(await said(workspace, 'grep -c proxy /etc/environment; grep -o "http_proxy=[^\\"]*" /etc/systemd/system.conf.d/50-ingot-proxy.conf')).toBe(
      '3\nhttp_proxy=http://proxy.example.org:3128',
    );
    ran('proxy');
    expect(await said(workspace, 'firewall-offline-cmd --list-ports')).toBe('80/tcp 53/udp');
    ran('firewall');
    expect(await said(workspace, 'grep ^SELINUX= /etc/selinux/config')).toBe('SELINUX=enforcing');
    // Whether a step may write labels is the kernel's to say; where it may not, the first boot does.
    const label =
      "import os; print('first boot' if os.path.exists('/.autorelabel') else os.getxattr('/etc/hostname', 'security.selinux').decode().strip(chr(0)))";
    expect(await said(workspace, `python3 -c "${label}"`)).toMatch(/^(first boot|system_u:object_r:etc_t:s0)$/);
    ran('labels');
  });

  test('what the image lacks is told with what is near', async () => {
    expect(await errorOf(lab().build({ system: systemOf({ timezone: 'Europe/Zurch' }) }, ready()))).toContain(
      'There is no time zone Europe/Zurch in the image',
    );
    expect(await errorOf(lab().build({ system: systemOf({ keymap: 'chh' }) }, ready()))).toMatch(/no keyboard layout chh. The nearest are ch/);
    expect(await errorOf(lab().build({ network: { ethernets: { eth0: { dhcp4: true } } } }, ready()))).toMatch(/The network needs cloud-init/);
  });

  test('the network is told to cloud-init, and what carries it out is on', async () => {
    const chain = await lab().build({ packages: [network], network: { ethernets: { eth0: { dhcp4: true } } } }, ready());
    await using workspace = await lab().open(chain);
    expect(await said(workspace, `systemctl --root=/ is-enabled ${network}; grep -c dhcp4 /etc/cloud/cloud.cfg.d/90-ingot-network.cfg`)).toBe('enabled\n1');
    ran('network');
  });

  test('modules and parameters are where systemd reads them', async () => {
    await using workspace = await lab().open();
    for (const { files } of [family.modules('web', ['overlay']), family.sysctl('web', { 'vm.swappiness': 10 })]) await workspace.root.writeFiles(files);
    expect(await said(workspace, 'cat /etc/modules-load.d/ingot-web.conf; /usr/lib/systemd/systemd-sysctl --cat-config | grep swappiness')).toBe(
      'overlay\nvm.swappiness = 10',
    );
    ran('kernel');
  });
}

/** Entries as cloud images have them: arguments of their own, and GRUB's variables. */
const ENTRY = 'title X\nversion 6\nlinux /boot/vmlinuz-6\noptions root=UUID=1 ro quiet $tuned_params\n';
const MENU = "menuentry 'X' {\n\tlinux /boot/vmlinuz-5.1-default root=UUID=1 ${extra_cmdline} quiet\n\tinitrd /boot/initrd-5.1-default\n}\n";

/** Tests of what boots. */
export function bootTests({ family, lab, ran }: RpmFamily, image: string): void {
  test('new kernels get an initramfs for every machine, and entries their own arguments and those that were added', async () => {
    await using workspace = await lab().open();
    await workspace.root.writeFiles([{ path: '/boot/loader/entries/x.conf', content: ENTRY, mode: '0644' }]);
    await runAll(workspace, family.install(['nothing']).slice(0, 2));
    expect(await said(workspace, 'cat /etc/kernel/cmdline')).toBe('root=UUID=1 ro quiet');
    await said(workspace, `rm ${image.replace('VERSION', '*')}`);
    await runAll(workspace, family.boot(['nosmt', 'quiet', 'a=b']));
    const options = 'root=UUID=1 ro quiet nosmt a=b';
    expect(await said(workspace, 'cat /etc/kernel/cmdline; grep ^options /boot/loader/entries/x.conf')).toBe(
      `${options}\noptions ${options.replace('quiet', 'quiet $tuned_params')}`,
    );
    expect(
      await said(
        workspace,
        `for k in /lib/modules/*; do lsinitrd "${image.replace('VERSION', '$(basename "$k")')}" | grep -cE "virtio_blk|virtio_scsi" ; done`,
      ),
    ).toMatch(/^[2-9]/);
    const stamp = `stat -c %y ${image.replace('VERSION', '*')}`;
    const before = await said(workspace, stamp);
    await runAll(workspace, family.boot([]));
    expect(await said(workspace, stamp)).toBe(before);
    ran('boot');
  });

  test('without entries the menu of GRUB is changed, and starts the newest kernel', async () => {
    await using workspace = await lab().open();
    await workspace.root.writeFiles([{ path: '/boot/grub2/grub.cfg', content: MENU, mode: '0644' }]);
    await said(
      workspace,
      'touch /boot/vmlinuz-5.1-default /boot/vmlinuz-99.2-default; sed -i "s/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX=\\"quiet\\"/" /etc/default/grub',
    );
    await runAll(workspace, family.boot(['a=b']).slice(1));
    expect(await said(workspace, 'cat /boot/grub2/grub.cfg; grep ^GRUB_CMDLINE_LINUX= /etc/default/grub')).toBe(
      `${MENU.replaceAll('5.1', '99.2').replace('quiet', 'quiet a=b')}GRUB_CMDLINE_LINUX="quiet a=b"`,
    );
  });
}
