import { IngotError } from '../../../base/errors.ts';
import type { Architecture } from '../../../catalog/cloud-image-schema.ts';
import type { Release } from '../../../catalog/schema.ts';
import type { IsoImage } from './reader.ts';

/** What a medium says of itself. */
export interface MediumIdentity {
  /** As the catalog calls it. */
  readonly distribution: string;
  /** Its version, as far as it says one. */
  readonly version?: string;
  readonly arch?: Architecture;
  /** The text by which it was known, for people. */
  readonly said: string;
}

interface Rule {
  /** A file of the medium; without one, the volume's label. */
  readonly file?: string;
  /** With the groups `version` and `arch`, where there are any. */
  readonly pattern: RegExp;
  readonly distribution: string;
}

/**
 * By what the media of the distributions are known, in the order in which it is looked for. The files: Debian and Ubuntu .disk/info (debian-cd), Fedora and its kin .treeinfo
 * (productmd) and their labels, SUSE media.1, Arch arch/version, Alpine .alpine-release.
 */
const RULES: readonly Rule[] = [
  { file: '.disk/info', pattern: /^Ubuntu(?:-Server)? (?<version>\d+\.\d+).* (?<arch>amd64|arm64)\b/, distribution: 'ubuntu' },
  { file: '.disk/info', pattern: /^Debian GNU\/Linux (?<version>\d+|testing|sid).* (?<arch>amd64|arm64)\b/, distribution: 'debian' },
  { file: '.disk/info', pattern: /^Kali GNU\/Linux (?<version>[\d.]+)?(?:.*?(?<arch>amd64|arm64))?/, distribution: 'kali' },
  { file: '.disk/info', pattern: /^Devuan GNU\/Linux (?<version>\d+)(?:.*?(?<arch>amd64|arm64))?/, distribution: 'devuan' },
  ...treeInfo('almalinux', 'AlmaLinux'),
  ...treeInfo('rocky', 'Rocky Linux'),
  ...treeInfo('centos-stream', 'CentOS Stream'),
  ...treeInfo('oraclelinux', 'Oracle Linux(?: Server)?'),
  ...treeInfo('rhel', 'Red Hat Enterprise Linux'),
  ...treeInfo('fedora', 'Fedora(?:-\\w+)?'),
  ...treeInfo('openeuler', 'openEuler'),
  { pattern: /^AlmaLinux-(?<version>\d+)[-_.](?:\d+)?.*?(?<arch>x86_64|aarch64)/, distribution: 'almalinux' },
  { pattern: /^Rocky-(?<version>\d+)[-_.](?:\d+)?.*?(?<arch>x86_64|aarch64)/, distribution: 'rocky' },
  { pattern: /^CentOS-Stream-(?<version>\d+).*?(?<arch>x86_64|aarch64)/, distribution: 'centos-stream' },
  { pattern: /^OL-(?<version>\d+).*?(?<arch>x86_64|aarch64)/, distribution: 'oraclelinux' },
  { pattern: /^RHEL-(?<version>\d+).*?(?<arch>x86_64|aarch64)/, distribution: 'rhel' },
  { pattern: /^Fedora-\w+-\w+-(?<arch>x86_64|aarch64)-(?<version>\d+)/, distribution: 'fedora' },
  { file: 'media.1/media', pattern: /openSUSE-Leap-(?<version>\d+\.\d+).*?(?<arch>x86_64|aarch64)/, distribution: 'opensuse-leap' },
  { file: 'media.1/media', pattern: /openSUSE-Tumbleweed.*?(?<arch>x86_64|aarch64)/, distribution: 'opensuse-tumbleweed' },
  { file: 'media.1/media', pattern: /(?:SLE|SLES)-?(?<version>\d+(?:-SP\d+|\.\d+)?).*?(?<arch>x86_64|aarch64)/, distribution: 'sles' },
  { pattern: /Leap[-_](?<version>\d+\.\d+)(?:.*?(?<arch>x86_64|aarch64))?/, distribution: 'opensuse-leap' },
  { pattern: /SLES[-_](?<version>\d+\.\d+)(?:.*?(?<arch>x86_64|aarch64))?/, distribution: 'sles' },
  { file: 'arch/version', pattern: /^\d{4}\.\d{2}\.\d{2}/, distribution: 'arch' },
  { file: '.alpine-release', pattern: /^alpine-\w+ (?<version>\d+\.\d+)/, distribution: 'alpine' },
  { pattern: /^alpine-\w+ (?<version>\d+\.\d+)[\d.]* (?<arch>x86_64|aarch64)/, distribution: 'alpine' },
];

function treeInfo(distribution: string, name: string): Rule[] {
  const text = String.raw`\[release\](?:(?!\n\[)[^])*?\nname *= *${name} *\n(?:(?!\n\[)[^])*?\n?version *= *(?<version>\d+)`;
  return [{ file: '.treeinfo', pattern: new RegExp(text), distribution }];
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { amd64: 'amd64', x86_64: 'amd64', arm64: 'arm64', aarch64: 'arm64' };

/** What a medium is of; undefined where it is none that is known. Throws `iso-invalid`. */
export async function identifyMedium(iso: Pick<IsoImage, 'label' | 'text'>): Promise<MediumIdentity | undefined> {
  for (const { file, pattern, distribution } of RULES) {
    const text = file === undefined ? iso.label : await iso.text(file);
    const match = text === undefined ? null : pattern.exec(text);
    if (text === undefined || match === null) continue;
    const { version, arch } = match.groups ?? {};
    const machine = ARCHITECTURES[arch ?? /^arch *= *(\w+)/m.exec(text)?.[1] ?? ''];
    return {
      distribution,
      ...(version === undefined ? {} : { version: version.replace('-SP', '.') }),
      ...(machine === undefined ? {} : { arch: machine }),
      said: file === '.treeinfo' ? match[0].replaceAll(/\s+/g, ' ').slice(0, 100) : (text.split('\n')[0] ?? '').slice(0, 100),
    };
  }
  return undefined;
}

/** The releases of the catalog that a medium can be of; several where it does not say its version. */
export function releasesOf({ distribution, version }: MediumIdentity, all: readonly Release[]): Release[] {
  const own = all.filter((release) => release.distribution === distribution);
  const exact = own.filter((release) => release.installer !== undefined && isVersion(release, version));
  if (version === undefined) return own.filter((release) => release.installer !== undefined);
  return exact.length > 0 ? exact : own.filter((release) => isVersion(release, version));
}

function isVersion({ version: known, codename, rolling, id }: Release, version: string | undefined): boolean {
  if (version === undefined || (rolling && known === '')) return true;
  return version === known || version.startsWith(`${known}.`) || (codename !== '' && codename === version) || id.endsWith(`-${version}`);
}

/**
 * Checks that a medium is of the release that it is said to be of, and for the architecture. One that is of no known distribution is believed, and the caller
 * warns. Throws `iso-differs`.
 */
export function checkMedium(identity: MediumIdentity | undefined, expected: Release, arch: string, path: string): void {
  if (identity === undefined) return;
  const { said } = identity;
  if (identity.distribution !== expected.distribution || (identity.version !== undefined && !isVersion(expected, identity.version))) {
    throw new IngotError('verification', 'iso-differs', `${path} is no medium of ${expected.id}: it says "${said}"`, {
      hint: `Say what it is (\`release:\`), or take the medium of ${expected.id}.`,
    });
  }
  if (identity.arch !== undefined && identity.arch !== arch) {
    throw new IngotError('verification', 'iso-differs', `${path} is for ${identity.arch}, and the template is for ${arch}: it says "${said}"`);
  }
}
