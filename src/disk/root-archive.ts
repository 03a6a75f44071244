import { IngotError } from '../base/errors.ts';
import { parentsOf, type Files } from '../base/files.ts';
import { formatSize, type HostPath } from '../base/types.ts';
import { plainName, walkTar } from '../store/tar.ts';

/*
 * The tree of a root file system in a tar archive: what is in it is looked at here, by its headers, before any program unpacks it. systemd's units have names
 * with a backslash, which is why such a name is looked at without it.
 */

/** What no root of a system comes near. */
export const TREE_LIMITS = { entries: 2_000_000, bytes: 64 * 2 ** 30, name: 1024 } as const;

export interface RootArchive {
  /** Bytes of all files. */
  readonly bytes: number;
  readonly entries: number;
}

/** A root says what system it is. */
const SIGNS = ['etc/os-release', 'usr/lib/os-release'];
const FIRST_NAMES = 10;

/**
 * Looks at every name in an archive of a root file system. Throws `archive-unsafe` for names and hard links that lead out of it or through a link, for
 * devices outside of /dev, where they are left out, and for kinds that no root has; `archive-invalid` for what is damaged; `unpack-too-large`;
 * `root-missing` where it holds no root.
 */
export async function readRootArchive(files: Pick<Files, 'status' | 'readPart'>, path: HostPath): Promise<RootArchive> {
  const unsafe = (why: string): IngotError =>
    new IngotError('verification', 'archive-unsafe', `${path} is not unpacked: ${why}`, { hint: 'No root of a system is like that. Nothing was written.' });
  const damaged = (why: string): IngotError =>
    new IngotError('verification', 'archive-invalid', `${path} is not unpacked: ${why}`, {
      hint: 'Get it again, and compare its checksum with that of its maker.',
    });
  const within = (name: string, what: string): string => {
    const plain = plainName(name.replaceAll('\\', '_'));
    if (plain === undefined || name.length > TREE_LIMITS.name) throw unsafe(`${what} ${JSON.stringify(name.slice(0, 200))} leads out of it`);
    return name
      .split('/')
      .filter((part) => part !== '.' && part !== '')
      .join('/');
  };
  const links = new Set<string>();
  const names = new Set<string>();
  let bytes = 0;
  for await (const { name: written, type, target, size } of walkTar(files, path, { most: TREE_LIMITS.entries, fail: damaged })) {
    const name = within(written, 'the name');
    const through = parentsOf(name).find((folder) => links.has(folder));
    if (through !== undefined) throw unsafe(`${name} would be written through the link ${through}`);
    if (type === '1') {
      const to = within(target, `the hard link ${name} to`);
      const linked = parentsOf(to).find((folder) => links.has(folder));
      if (linked !== undefined || !names.has(to)) throw unsafe(`the hard link ${name} leads to ${to}, which is no file before it in the archive`);
    } else if (type === '3' || type === '4') {
      if (!name.startsWith('dev/')) throw unsafe(`${name} is a device`);
    } else if (!['0', '2', '5', '6'].includes(type)) throw unsafe(`${name} is of a kind that no root has`);
    // What comes a second time takes the place of the first.
    if (type === '2') links.add(name);
    else links.delete(name);
    names.add(name);
    bytes += size;
    if (bytes > TREE_LIMITS.bytes)
      throw new IngotError('verification', 'unpack-too-large', `${path} is not unpacked: it becomes more than ${formatSize(TREE_LIMITS.bytes)}`);
  }
  if (!SIGNS.some((sign) => names.has(sign))) {
    throw new IngotError('verification', 'root-missing', `There is no root of a Linux system in ${path}`, {
      detail: `It begins with:\n${[...names].slice(0, FIRST_NAMES).join('\n')}`,
      hint: `A root has ${SIGNS.join(' or ')}, at the top of the archive.`,
    });
  }
  return { bytes, entries: names.size };
}
