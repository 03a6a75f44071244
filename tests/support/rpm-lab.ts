import type { PackageRepository, ResolvedStep } from '../../src/template/template.ts';
import { makeRpmRepositories, type RpmRepositorySpec, type RpmSpec } from './rpm-repository.ts';
import { standIn, type StandIn } from './stand-in.ts';

/** The image on which both families that use rpm are tested: Debian, with their managers, and what the families call. */
export const MANAGERS = `from: debian-13
disk: { size: 6GiB }
packages: [dnf, zypper, rpm, firewalld, chrony, policycoreutils, dracut-core, kmod, procps]
`;

/** Kernels have an initramfs by the names of both families, or each layer with packages would make one. */
const INITRAMFS = 'for k in /lib/modules/*; do for f in initramfs-$(basename "$k").img initrd-$(basename "$k"); do echo stub >/boot/$f; done; done';

/** The database of Debian's rpm is where that of distributions is, and chrony's unit has no second name. */
export const PREPARED: readonly ResolvedStep[] = [
  { kind: 'file', label: 'rpm', path: '/etc/rpm/macros.dist', content: '%_dbpath /var/lib/rpm\n', mode: '0644', owner: 'root:root' },
  { kind: 'service', label: 'chrony', service: 'chrony', state: 'disabled' },
  {
    ...{ kind: 'run', label: 'initramfs', shell: 'sh', script: INITRAMFS },
    ...{ env: {}, secrets: {}, network: false, maxAge: 1, booted: false, timeout: 60 },
  },
];

const unit = (name: string): string => `[Unit]\nDescription=${name}\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n`;
const timer = '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n';

/**
 * What stands for the packages of a distribution: names, units and configuration files are as theirs. Programs are Debian's, which are in the image already.
 * rpm knows nothing of those, so one package provides what the others' scripts need.
 */
const DISTRIBUTION: readonly RpmSpec[] = [
  { name: 'shell', provides: ['/bin/sh'] },
  ...['sudo', 'tzdata', 'timezone', 'ca-certificates', 'selinux-policy-targeted'].map((name) => ({ name })),
  {
    name: 'policycoreutils-python-utils',
    files: { '/usr/sbin/semanage': '#!/bin/sh\necho "$*" >>/var/lib/semanage-calls\n' },
  },
  ...['glibc-langpack-de', 'glibc-locale'].map((name): RpmSpec => ({ name, files: { '/usr/lib/locale/de_CH.utf8/LC_IDENTIFICATION': 'x' } })),
  { name: 'kbd', files: { '/usr/lib/kbd/keymaps/xkb/ch.map.gz': 'x', '/usr/lib/kbd/keymaps/xkb/us.map.gz': 'x' } },
  {
    name: 'chrony',
    files: {
      '/etc/chrony.conf': '# Please consider joining the pool\npool 2.centos.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\nmakestep 1.0 3\n',
      '/usr/lib/systemd/system/chronyd.service': unit('chronyd'),
    },
    config: ['/etc/chrony.conf'],
  },
  { name: 'dnf-automatic', files: { '/etc/dnf/automatic.conf': '[commands]\napply_updates = no\n', '/usr/lib/systemd/system/dnf-automatic.timer': timer } },
  { name: 'NetworkManager', files: { '/usr/lib/systemd/system/NetworkManager.service': unit('NetworkManager') } },
  { name: 'wicked', files: { '/usr/lib/systemd/system/wicked.service': unit('wicked') } },
];

/** A service with scripts, as packages have them; the second needs the first. */
const service = (version: string): RpmSpec => ({
  name: 'hello-service',
  version,
  requires: ['hello-data'],
  files: {
    '/usr/sbin/hello': '#!/bin/sh\ncat /usr/share/hello\n',
    '/usr/lib/systemd/system/hello.service': unit('hello'),
    '/etc/hello.conf': 'greeting=hello\n',
  },
  config: ['/etc/hello.conf'],
  post: `getent passwd hello >/dev/null || useradd --system --no-create-home hello\necho "${version} installed" >>/var/lib/hello-scripts\nsystemctl preset hello.service || :`,
  preun: 'echo "gone $1" >>/var/lib/hello-scripts',
});
const data = (version: string): RpmSpec => ({ name: 'hello-data', version, files: { '/usr/share/hello': `hello from ${version}\n` } });
/** A shell of this host and what it is linked with, so that scripts run in a root that has nothing else. */
const SHELL_FILES: RpmSpec = {
  name: 'shell-files',
  provides: ['/bin/sh'],
  files: Object.fromEntries(
    ['/bin/sh', '/lib64/ld-linux-x86-64.so.2', '/lib/x86_64-linux-gnu/libc.so.6'].map((path) => [path === '/bin/sh' ? '/bin/sh' : path, { from: path }]),
  ),
};

export const REPOSITORIES: Readonly<Record<string, RpmRepositorySpec>> = {
  distribution: { packages: DISTRIBUTION },
  hello: { packages: [service('1'), data('1')] },
  newer: { packages: [service('2'), data('2')], security: ['hello-data'] },
  unsigned: { packages: [{ name: 'unsigned-package' }], signedBy: 'nobody' },
  'wrong-key': { packages: [{ name: 'wrong-package' }], signedBy: 'other' },
  damaged: { packages: [{ name: 'damaged-package' }], damaged: true },
  root: {
    packages: [SHELL_FILES, { name: 'first', requires: ['/bin/sh'], files: { '/etc/first': 'first\n' }, post: 'echo "script of first" >/etc/first-script' }],
  },
};

export interface RpmLab extends AsyncDisposable {
  /** One of the repositories as a template says it, with the key that it ought to be signed by. */
  repository(name: string): PackageRepository;
  readonly url: string;
}

/** Makes and serves the repositories, on the loopback interface. */
export async function serveRpms(): Promise<RpmLab> {
  const { files, key } = await makeRpmRepositories(REPOSITORIES);
  const served: StandIn = await standIn({ files });
  return {
    url: served.url,
    repository: (name) => ({ name, uri: `${served.url}/${name}`, suites: [], components: [], key }),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}
