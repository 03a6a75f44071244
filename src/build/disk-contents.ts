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
  /** dpkg's status file as it is. */
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
dpkg --print-architecture 2>/dev/null || true; echo "$1"
if [ -f /etc/default/grub ]; then
  ( set +eu; GRUB_CMDLINE_LINUX= GRUB_CMDLINE_LINUX_DEFAULT=
    for file in /etc/default/grub /etc/default/grub.d/*.cfg; do [ -f "$file" ] && . "$file"; done
    printf '%s %s' "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT" ) 2>/dev/null </dev/null || true
fi; echo; echo "$1"
cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' | grep -oE '(https?|file|mirror\\+file)://?[^] ]+' || true; echo "$1"
cat /var/lib/dpkg/status 2>/dev/null || true`;

/** Reads what planning needs to know of a disk. Throws `arch-unsupported`, `distribution-unsupported`. */
export async function readDiskContents(root: GuestRoot, catalog: CatalogData): Promise<DiskContents> {
  const { stdout } = await root.run(['/bin/sh', '-c', QUESTIONS, 'sh', BREAK], { timeout: 300, quiet: true }).catch((error: unknown) => {
    if (!(error instanceof IngotError) || !/exec format error/i.test(error.detail ?? '')) throw error;
    throw new IngotError('usage', 'arch-unsupported', 'The programs on the disk are of another architecture than this host can run', { cause: error });
  });
  return parseDiskContents(stdout, catalog);
}

/** Makes sense of the answers: pure, since they come from a disk that nobody vouches for. */
export function parseDiskContents(answers: string, catalog: CatalogData): DiskContents {
  const [osRelease = '', arch = '', kernel = '', sources = '', status = ''] = answers.split(`${BREAK}\n`);
  const release = findReleaseOf(osRelease, catalog);
  const architecture = arch.trim();
  if (!release.architectures.some((known) => known === architecture)) {
    throw new IngotError('usage', 'arch-unsupported', `The disk is ${release.id} for ${architecture || 'an unknown architecture'}`, {
      hint: `Known: ${release.architectures.join(', ')}.`,
    });
  }
  return {
    release,
    arch: architecture,
    packages: installedIn(status),
    status,
    kernelArguments: [
      ...new Set(
        kernel
          .trim()
          .split(/\s+/)
          .filter((word) => /^[\w.,:=/@+-]+$/.test(word)),
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

/** The release of the catalog that an os-release file (its man page) is of. */
function findReleaseOf(text: string, catalog: CatalogData): Release {
  const value = (name: string): string => (new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '').trim().replace(/^(['"])(.*)\1$/, '$2');
  const known = releases(catalog);
  const found = known.find(
    ({ osId, version, codename }) =>
      osId === value('ID') && (value('VERSION_ID') === version || (value('VERSION_ID') === '' && value('VERSION_CODENAME') === codename)),
  );
  if (found !== undefined) return found;
  const name = value('PRETTY_NAME') || [value('ID'), value('VERSION_ID')].join(' ').trim();
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
