import { IngotError } from '../base/errors.ts';
import { releases } from '../catalog/catalog.ts';
import type { CatalogData, Release } from '../catalog/schema.ts';
import type { InstalledPackage } from '../store/model.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';

/** What a disk from elsewhere says of itself. */
export interface DiskContents {
  readonly release: Release;
  readonly arch: string;
  readonly packages: readonly InstalledPackage[];
  /** dpkg's status file as it is; empty where there is no dpkg. */
  readonly status: string;
  readonly kernelArguments: readonly string[];
  /** Addresses of its package sources. */
  readonly repositories: readonly string[];
}

/** Parts of one answer; none of the files has this line. */
const BREAK = '==== ingot ====';

/** The image's own programs answer, in the sandbox; $1 parts the answers. A missing file is an empty answer. */
const QUESTIONS = `
cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null || true; echo "$1"
dpkg --print-architecture 2>/dev/null || od -An -tx2 -j18 -N2 /bin/sh 2>/dev/null || true; echo "$1"
if [ -f /etc/kernel/cmdline ]; then cat /etc/kernel/cmdline
elif [ -f /etc/update-extlinux.conf ]; then sed -n 's/^default_kernel_opts="\\{0,1\\}\\([^"]*\\).*/\\1/p' /etc/update-extlinux.conf
elif [ -f /etc/default/grub ]; then
  ( set +eu; GRUB_CMDLINE_LINUX= GRUB_CMDLINE_LINUX_DEFAULT=
    for file in /etc/default/grub /etc/default/grub.d/*.cfg; do [ -f "$file" ] && . "$file"; done
    printf '%s %s' "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT" ) 2>/dev/null </dev/null || true
fi; echo; echo "$1"
cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' | grep -oE '(https?|file|mirror\\+file)://?[^] ]+' || true
sed -nE 's/^(baseurl|mirrorlist|metalink) *= *//p' /etc/yum.repos.d/*.repo /etc/zypp/repos.d/*.repo 2>/dev/null || true
grep -hE '^https?://' /etc/apk/repositories 2>/dev/null || true
sed -nE 's/^ *Server *= *//p' /etc/pacman.d/mirrorlist 2>/dev/null || true
echo "$1"
cat /var/lib/dpkg/status 2>/dev/null || true; echo "$1"
if [ ! -f /var/lib/dpkg/status ]; then
  if command -v rpm >/dev/null; then rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE} %{ARCH}\\n' 2>/dev/null || true
  elif command -v pacman >/dev/null; then pacman -Q 2>/dev/null | sed 's/$/ any/' || true
  elif [ -f /lib/apk/db/installed ]; then sed -n 's/^P:/P /p; s/^V:/V /p; s/^A:/A /p' /lib/apk/db/installed | awk '$1 == "P" { n = $2 } $1 == "V" { v = $2 } $1 == "A" { a = $2 } n != "" && v != "" && a != "" { print n, v, a; n = v = a = "" }'
  fi
fi`;

/**
 * Reads what planning needs to know of a disk; `expected` is the release whose image it is said to be. Throws `arch-unsupported`, `distribution-unsupported`
 * and `release-differs`.
 */
export async function readDiskContents(root: GuestRoot, catalog: CatalogData, expected?: Release): Promise<DiskContents> {
  const { stdout } = await root.run(['/bin/sh', '-c', QUESTIONS, 'sh', BREAK], { timeout: 300, quiet: true }).catch((error: unknown) => {
    if (!(error instanceof IngotError) || !/exec format error/i.test(error.detail ?? '')) throw error;
    throw new IngotError('usage', 'arch-unsupported', 'The programs on the disk are of another architecture than this host can run', { cause: error });
  });
  return parseDiskContents(stdout, catalog, expected);
}

/** Makes sense of the answers: pure, since they come from a disk that nobody vouches for. */
export function parseDiskContents(answers: string, catalog: CatalogData, expected?: Release): DiskContents {
  const [osRelease = '', arch = '', kernel = '', sources = '', status = '', others = ''] = answers.split(`${BREAK}\n`);
  const release = expected === undefined ? findReleaseOf(osRelease, catalog) : checkedRelease(osRelease, expected);
  const architecture = MACHINES[arch.trim()] ?? arch.trim();
  if (!release.architectures.some((known) => known === architecture)) {
    throw new IngotError('usage', 'arch-unsupported', `The disk is ${release.id} for ${architecture || 'an unknown architecture'}`, {
      hint: `Known: ${release.architectures.join(', ')}.`,
    });
  }
  return {
    release,
    arch: architecture,
    packages: status === '' ? listedIn(others) : installedIn(status),
    status,
    kernelArguments: [
      ...new Set(
        kernel
          .trim()
          .split(/\s+/)
          .filter((word) => /^[\w.,:=/@+-]+$/.test(word) && !/^(root|BOOT_IMAGE|initrd|resume|rootflags)=|^r[ow]$/.test(word)),
      ),
    ],
    repositories: [
      ...new Set(
        sources
          .split('\n')
          .map((line) => line.trim().replace(/\/$/, ''))
          .filter((line) => line !== ''),
      ),
    ].toSorted(),
  };
}

/** Machines of ELF (elf.h, e_machine), as od prints them. */
const MACHINES: Readonly<Record<string, string>> = { '003e': 'amd64', '00b7': 'arm64' };

/** A value of an os-release file (its man page). */
function osValue(text: string, name: string): string {
  return (new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '').trim().replace(/^(['"])(.*)\1$/, '$2');
}

/** Whether an os-release file is of a release: the same system, and a version that is the release's or a point of it. */
function isOf(text: string, { osId, version, codename }: Release): boolean {
  if (osValue(text, 'ID') !== osId) return false;
  const said = osValue(text, 'VERSION_ID');
  return said === version || said.startsWith(`${version}.`) || (said === '' && codename !== '' && osValue(text, 'VERSION_CODENAME') === codename);
}

/** A release that has no versions says nothing that could differ. */
function checkedRelease(text: string, expected: Release): Release {
  if (isOf(text, expected) || (osValue(text, 'ID') === expected.osId && (expected.rolling || osValue(text, 'VERSION_ID') === ''))) return expected;
  throw new IngotError('verification', 'release-differs', `The image of ${expected.id} holds ${systemName(text) || 'a system that does not say what it is'}`, {
    hint: 'The mirror has put another file there, or the catalog is wrong.',
  });
}

function systemName(text: string): string {
  return osValue(text, 'PRETTY_NAME') || [osValue(text, 'ID'), osValue(text, 'VERSION_ID')].join(' ').trim();
}

/** The release of the catalog that an os-release file is of; of several the one with the longest version. */
function findReleaseOf(text: string, catalog: CatalogData): Release {
  const known = releases(catalog);
  const [found] = known.filter((release) => isOf(text, release)).toSorted((a, b) => b.version.length - a.version.length);
  if (found !== undefined) return found;
  const name = systemName(text);
  throw new IngotError(
    'usage',
    'distribution-unsupported',
    name === '' ? 'The disk does not say what system is on it' : `The disk holds ${name}, which the catalog does not know`,
    {
      hint: '`ingot catalog distros` shows what it knows.',
    },
  );
}

/** The packages of a dpkg status file (dpkg(1)) that are wholly installed, sorted by name. */
function installedIn(status: string): InstalledPackage[] {
  const all = status.split('\n\n').flatMap((stanza) => {
    const value = (field: string): string => new RegExp(`^${field}: (.*)$`, 'm').exec(stanza)?.[1]?.trim() ?? '';
    const item = { name: value('Package'), version: value('Version'), arch: value('Architecture') };
    return value('Status').endsWith(' installed') && Object.values(item).every((text) => text !== '') ? [item] : [];
  });
  return all.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Packages as rpm, pacman and apk list them: name, version, architecture. */
function listedIn(text: string): InstalledPackage[] {
  const all = text.split('\n').flatMap((line) => {
    const [name = '', version = '', arch = '', ...rest] = line.trim().split(' ');
    // rpm lists keys as packages.
    return name === '' || version === '' || arch === '' || rest.length > 0 || name === 'gpg-pubkey' ? [] : [{ name, version, arch }];
  });
  return all.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
