import { X509Certificate } from 'node:crypto';
import { IngotError } from '../../base/errors.ts';
import { hashValue } from '../../base/hash.ts';
import type { Release } from '../../catalog/schema.ts';
import type { PackageRepository, ResolvedSystem } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import type { Changes } from '../changes.ts';
import { localizationChanges } from './localization.ts';
import { proxyChanges } from './proxy.ts';
import { shell } from './shell.ts';

const NONE: Changes = { packages: [], files: [], commands: [], kernelArguments: [] };

const file = (path: string, content: string, mode = '0644'): RootFile => ({ path, content, mode });

/**
 * The system section of a template. Each part has files of its own, named after ingot, beside the distribution's: a package's update never asks
 * about them. Throws `system-invalid` and `certificate-invalid`.
 */
export function systemChanges(system: ResolvedSystem, release: Release): Changes {
  const parts = [
    hostname(system),
    localizationChanges(system),
    sshd(system, release),
    sysctl(system),
    ntp(system),
    automaticUpdates(system),
    trustedCa(system),
    system.proxy === undefined ? NONE : proxyChanges(system.proxy),
    { ...NONE, kernelArguments: system['kernel-arguments'] },
  ];
  return {
    packages: [...new Set(parts.flatMap(({ packages }) => packages))].toSorted(),
    files: parts.flatMap(({ files }) => files),
    commands: parts.flatMap(({ commands }) => commands),
    kernelArguments: parts.flatMap(({ kernelArguments }) => kernelArguments),
  };
}

function invalid(what: string, hint?: string): IngotError {
  return new IngotError('usage', 'system-invalid', what, hint === undefined ? {} : { hint });
}

/** A fixed name is told to cloud-init too, which would take the platform's for /etc/hosts. */
function hostname({ hostname: wanted = 'platform' }: ResolvedSystem): Changes {
  const path = '/etc/cloud/cloud.cfg.d/90-ingot-hostname.cfg';
  if (wanted === 'platform') return NONE;
  if (!/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(wanted)) {
    throw invalid(`The host name ${JSON.stringify(wanted)} is none: names are letters, digits and dashes, with dots between them`);
  }
  const short = wanted.split('.')[0] ?? wanted;
  const names = short === wanted ? short : `${wanted} ${short}`;
  const config = { preserve_hostname: true, hostname: short, fqdn: wanted };
  return {
    ...NONE,
    files: [
      file('/etc/hostname', `${wanted}\n`),
      file('/etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${names}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n`),
      file(path, `${JSON.stringify(config)}\n`),
    ],
  };
}

/**
 * sshd takes the first value that it reads, so this file comes before the base's 50-ingot.conf. The default user, as whom platforms and ingot
 * log in, stays allowed.
 */
function sshd({ sshd: wanted }: ResolvedSystem, release: Release): Changes {
  if (wanted === undefined) return NONE;
  const allowed = wanted['allow-users'];
  const yes = (value: boolean): string => (value ? 'yes' : 'no');
  const password = wanted['password-authentication'];
  const lines = [
    ...(wanted.port === undefined ? [] : [`Port ${wanted.port}`]),
    ...(password === undefined ? [] : [`PasswordAuthentication ${yes(password)}`, `KbdInteractiveAuthentication ${yes(password)}`]),
    ...(wanted['permit-root-login'] === undefined ? [] : [`PermitRootLogin ${wanted['permit-root-login']}`]),
    ...(allowed === undefined ? [] : [`AllowUsers ${[...new Set([release.defaultUser, ...allowed])].map(sshdWord).join(' ')}`]),
  ];
  if (lines.length === 0) return NONE;
  return { ...NONE, files: [file('/etc/ssh/sshd_config.d/40-ingot-template.conf', `${lines.join('\n')}\n`)], commands: [shell('sshd', SSHD)] };
}

/** sshd_config(5): patterns of users may have a host; quotes, comments and backslashes would mean something else. */
function sshdWord(word: string): string {
  if (/^[^\s"'#\\\p{Cc}]+$/u.test(word)) return word;
  throw invalid(`${JSON.stringify(word)} in allow-users is no pattern of user names`);
}

/** sshd looks at its configuration only where it has a host key and its folder in /run: those of an image are made at its first boot. */
const SSHD = String.raw`
mkdir -p -m 0755 /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /tmp/key
/usr/sbin/sshd -t -h /tmp/key
`;

function sysctl({ sysctl: values }: ResolvedSystem): Changes {
  const lines = Object.entries(values).map(([name, value]) => `${name} = ${oneLine(String(value), `The value of ${name}`)}\n`);
  return lines.length === 0 ? NONE : { ...NONE, files: [file('/etc/sysctl.d/90-ingot.conf', lines.join(''))] };
}

function oneLine(text: string, what: string): string {
  if (/\p{Cc}/u.test(text)) throw invalid(`${what} holds a control character`);
  return text;
}

/** timesyncd falls back to servers that are compiled in where it has no others to fall back to, and an empty list is none. */
function ntp({ ntp: servers }: ResolvedSystem): Changes {
  if (servers.length === 0) return NONE;
  return {
    ...NONE,
    packages: ['systemd-timesyncd'],
    files: [file('/etc/systemd/timesyncd.conf.d/50-ingot.conf', `[Time]\nNTP=${servers.join(' ')}\nFallbackNTP=${servers.join(' ')}\n`)],
  };
}

const TIMERS = ['apt-daily.timer', 'apt-daily-upgrade.timer'] as const;

/** What unattended-upgrades may install; the variables are its own (/etc/apt/apt.conf.d/50unattended-upgrades says which there are). */
const ORIGINS = {
  security: ['origin=Debian,codename=${distro_codename},label=Debian-Security', 'origin=Debian,codename=${distro_codename}-security,label=Debian-Security'],
  all: ['origin=*'],
} as const;

function automaticUpdates({ 'automatic-updates': wanted }: ResolvedSystem): Changes {
  if (wanted === undefined) return NONE;
  const path = '/etc/apt/apt.conf.d/60ingot-automatic-updates';
  const switches = (value: 0 | 1): string => `APT::Periodic::Update-Package-Lists "${value}";\nAPT::Periodic::Unattended-Upgrade "${value}";\n`;
  if (wanted === 'none') {
    return { ...NONE, files: [file(path, switches(0))], commands: [{ label: 'no automatic updates', argv: ['systemctl', 'disable', ...TIMERS] }] };
  }
  const origins = ORIGINS[wanted].map((origin) => `  "${origin}";\n`).join('');
  const clear = '#clear Unattended-Upgrade::Allowed-Origins;\n#clear Unattended-Upgrade::Origins-Pattern;\n';
  return {
    ...NONE,
    packages: ['unattended-upgrades'],
    files: [file(path, `${switches(1)}${clear}Unattended-Upgrade::Origins-Pattern {\n${origins}};\n`)],
    commands: [{ label: 'automatic updates', argv: ['systemctl', 'enable', ...TIMERS, 'unattended-upgrades.service'] }],
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** update-ca-certificates wants one certificate in a file; the name says which it is. */
function trustedCa({ trustedCa: texts }: ResolvedSystem): Changes {
  const certificates = texts.flatMap((text, i) => {
    const found = text.match(CERTIFICATE) ?? [];
    if (found.length === 0 || found.some((each) => !isCertificate(each))) {
      throw new IngotError('usage', 'certificate-invalid', `Entry ${i + 1} of trusted-ca is no certificate in PEM`, {
        hint: 'It has to hold -----BEGIN CERTIFICATE----- and what belongs to it.',
      });
    }
    return found;
  });
  if (certificates.length === 0) return NONE;
  const files = new Map(certificates.map((each) => [`/usr/local/share/ca-certificates/ingot-${shortHash(each)}.crt`, `${each}\n`]));
  return {
    ...NONE,
    packages: ['ca-certificates'],
    files: [...files].map(([path, content]) => file(path, content)),
    commands: [{ label: 'CA certificates', argv: ['update-ca-certificates'] }],
  };
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

function shortHash(text: string): string {
  return hashValue(text)
    .replace(/^sha256:/, '')
    .slice(0, 12);
}

/**
 * Package sources in deb822, each with its own key (sources.list(5)); in place before packages are resolved and installed. Throws
 * `repository-invalid`.
 */
export function repositoryFiles(repositories: readonly PackageRepository[]): RootFile[] {
  return repositories.flatMap((repository) => {
    const key = `/etc/apt/keyrings/${repository.name}.asc`;
    return [file(key, `${repository.key.trim()}\n`), file(`/etc/apt/sources.list.d/${repository.name}.sources`, sources(repository, key))];
  });
}

function sources({ name, uri, suites, components, key }: PackageRepository, keyPath: string): string {
  const fault = (what: string): IngotError => new IngotError('usage', 'repository-invalid', `The package repository ${name} ${what}`);
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name) || name === 'debian') throw fault('has a name that its file cannot have');
  // apt ignores a key file that it cannot read, and then says only that the repository is not signed.
  if (!key.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) throw fault('has a key that is no armored OpenPGP public key');
  const words = [uri, ...suites, ...components];
  if (words.some((word) => !/^[\x21-\x7e]+$/.test(word))) throw fault('has an address, suite or component with a space or a special character');
  const flat = suites.some((suite) => suite.endsWith('/'));
  return [
    'Types: deb',
    `URIs: ${uri}`,
    `Suites: ${suites.join(' ')}`,
    // A suite that is a path has no components.
    ...(flat ? [] : [`Components: ${components.join(' ')}`]),
    `Signed-By: ${keyPath}`,
    '',
  ].join('\n');
}
