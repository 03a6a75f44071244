import { basename } from 'node:path';
import { IngotError, nearest } from '../../base/errors.ts';

/*
 * What an image can be written as, as data: help, completion, templates and the documentation are made from this table.
 */

export interface FormatOption {
  readonly describe: string;
  /** The words that it takes; the first is what holds without the option. */
  readonly values: readonly [string, ...string[]];
}

export interface Format {
  /** Endings of file names that stand for it, the usual one first; none where it has to be named. */
  readonly extensions: readonly string[];
  /** Where it is wanted. */
  readonly use: string;
  /** A whole disk, the root file system alone, or a folder with a file of another format. */
  readonly content: 'disk' | 'root' | 'folder';
  readonly options: Readonly<Record<string, FormatOption>>;
}

const COMPRESSIONS = ['none', 'gzip', 'xz', 'zstd'] as const;

export const FORMATS = {
  qcow2: {
    extensions: ['qcow2'],
    use: 'Proxmox VE, CloudStack and OpenStack on KVM, libvirt, the lab',
    content: 'disk',
    options: {
      compat: { describe: 'Version of the format; 0.10 is for QEMU before 1.1, and has no zstd', values: ['1.1', '0.10'] },
      compression: { describe: 'Of its clusters; zstd needs QEMU 5.1 or later. With compat=0.10 zlib', values: ['zstd', 'zlib', 'none'] },
    },
  },
  raw: {
    extensions: ['raw', 'img', 'raw.gz', 'raw.xz', 'raw.zst', 'img.gz', 'img.xz', 'img.zst'],
    use: 'dd to a device, LVM, ZFS and Ceph; compressed for downloads',
    content: 'disk',
    options: { compression: { describe: 'Of the file; its name says it too (.raw.xz)', values: COMPRESSIONS } },
  },
  vmdk: {
    extensions: ['vmdk'],
    use: 'VMware: stream for ESXi and vCenter, sparse for Workstation, Fusion and VirtualBox',
    content: 'disk',
    options: { layout: { describe: 'stream: stream-optimised, compressed; sparse: monolithic sparse, writable', values: ['stream', 'sparse'] } },
  },
  ova: {
    extensions: ['ova'],
    use: 'vSphere, Workstation, VirtualBox, CloudStack on VMware, import of Proxmox VE',
    content: 'disk',
    options: {
      controller: {
        describe: 'Disk controller; auto is pvscsi where the image has its driver at boot, else sata',
        values: ['auto', 'pvscsi', 'lsilogic', 'sata', 'ide'],
      },
      network: { describe: 'Network card; auto is vmxnet3 where the image has its driver, else e1000', values: ['auto', 'vmxnet3', 'e1000', 'e1000e'] },
      firmware: { describe: 'auto is bios where the image starts with both', values: ['auto', 'bios', 'uefi'] },
    },
  },
  vhd: {
    extensions: ['vhd'],
    use: 'XenServer, XCP-ng and CloudStack on them (dynamic); Azure (fixed)',
    content: 'disk',
    options: { layout: { describe: 'dynamic: takes what is used; fixed: takes the whole size, as Azure wants it', values: ['dynamic', 'fixed'] } },
  },
  vhdx: {
    extensions: ['vhdx'],
    use: 'Hyper-V',
    content: 'disk',
    options: { layout: { describe: 'dynamic: takes what is used; fixed: takes the whole size', values: ['dynamic', 'fixed'] } },
  },
  'container-disk': {
    extensions: ['oci.tar'],
    use: 'KubeVirt: an OCI archive to push with skopeo, whose layer holds the disk',
    content: 'disk',
    options: {},
  },
  lxc: {
    extensions: ['tar.zst', 'tar.gz', 'tar.xz'],
    use: 'containers of Proxmox VE and LXC: the root file system, without kernel and boot loader',
    content: 'root',
    options: { compression: { describe: 'Of the file; its name says it too (.tar.xz)', values: ['zstd', 'gzip', 'xz'] } },
  },
  incus: {
    extensions: ['incus.tar.zst', 'incus.tar.gz', 'incus.tar.xz'],
    use: 'Incus and LXD: a unified container image, with metadata.yaml',
    content: 'root',
    options: { compression: { describe: 'Of the file; its name says it too (.tar.xz)', values: ['zstd', 'gzip', 'xz'] } },
  },
  squashfs: {
    extensions: ['squashfs'],
    use: 'live systems and read-only roots: the root file system',
    content: 'root',
    options: { compression: { describe: 'Of its blocks', values: ['zstd', 'xz', 'gzip'] } },
  },
  web: {
    extensions: [],
    use: 'a folder to be served over HTTP: a disk, and SHA256SUMS over all that is there',
    content: 'folder',
    options: {
      file: {
        describe: 'What the disk is written as, by its extension',
        values: ['qcow2', 'raw.xz', 'raw.zst', 'raw.gz', 'raw', 'vmdk', 'ova', 'vhd', 'vhdx', 'tar.zst', 'squashfs'],
      },
    },
  },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;
/** Names of the formats, as `--format` takes them. */
export const FORMAT_NAMES = Object.keys(FORMATS).filter((name): name is FormatName => name in FORMATS);

/** A format with each of its options decided. */
export interface ChosenFormat {
  readonly name: FormatName;
  readonly options: Readonly<Record<string, string>>;
}

/** What the endings of names say about compression. */
const COMPRESSION_OF: Readonly<Record<string, string>> = { gz: 'gzip', xz: 'xz', zst: 'zstd' };

/** A format of the table. */
export function formatOf(name: FormatName): Format {
  return FORMATS[name];
}

/**
 * The format for a file, by what was named, else by the end of the file's name, with its options: those given as `key=value` count before the file's
 * name, and that before the table. Throws `format-unknown`, `format-option-unknown`.
 */
export function chooseFormat(path: string, wanted: FormatName | undefined, given: Readonly<Record<string, string>> = {}): ChosenFormat {
  const name = wanted ?? formatOfFile(path);
  const { options } = formatOf(name);
  for (const [key, value] of Object.entries(given)) {
    const option = options[key];
    if (option === undefined) throw optionUnknown(name, key);
    if (!option.values.includes(value)) {
      throw new IngotError('usage', 'format-option-unknown', `${key} of ${name} cannot be "${value}"`, { hint: `It is one of ${option.values.join(', ')}.` });
    }
  }
  const ending = basename(path).toLowerCase().split('.').at(-1) ?? '';
  const fromName: Readonly<Record<string, string>> = 'compression' in options && ending in COMPRESSION_OF ? { compression: COMPRESSION_OF[ending] ?? '' } : {};
  const chosen = Object.fromEntries(Object.entries(options).map(([key, { values }]) => [key, given[key] ?? fromName[key] ?? values[0]]));
  if (name === 'qcow2' && chosen['compat'] === '0.10' && chosen['compression'] === 'zstd') {
    if (given['compression'] === 'zstd') throw new IngotError('usage', 'format-option-unknown', 'A qcow2 of version 0.10 cannot be compressed with zstd');
    chosen['compression'] = 'zlib';
  }
  return { name, options: chosen };
}

function optionUnknown(name: FormatName, key: string): IngotError {
  const known = Object.keys(formatOf(name).options);
  return new IngotError('usage', 'format-option-unknown', `The format ${name} has no option "${key}"`, {
    hint: known.length === 0 ? 'It has none.' : `It has ${known.join(', ')}.`,
  });
}

/** Options as they are given to a command: `key=value`. Throws `format-option-unknown`. */
export function parseOptions(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new IngotError('usage', 'format-option-unknown', `"${word}" is no option of a format`, { hint: 'Write name=value.' });
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

/** The format that a file's name stands for (`.qcow2`, `.raw.xz`); the longest ending counts. Throws `format-unknown` where it stands for none. */
export function formatOfFile(path: string): FormatName {
  const file = basename(path).toLowerCase();
  const endings = FORMAT_NAMES.flatMap((name) => formatOf(name).extensions.map((extension) => ({ name, extension })));
  const found = endings.filter(({ extension }) => file.endsWith(`.${extension}`)).toSorted((a, b) => b.extension.length - a.extension.length)[0];
  if (found !== undefined) return found.name;
  const extension = /\.([^.]+)$/.exec(file)?.[1] ?? '';
  const near = extension === '' ? [] : nearest(extension, new Set(endings.map((ending) => ending.extension)));
  throw new IngotError(
    'usage',
    'format-unknown',
    extension === '' ? `"${basename(path)}" has no extension that names a format` : `".${extension}" names no format that ingot exports`,
    {
      hint:
        near.length > 0
          ? `Did you mean .${near.join(' or .')}?`
          : `Name the file ${FORMAT_NAMES.flatMap((name) => formatOf(name).extensions[0] ?? [])
              .map((one) => `.${one}`)
              .join(', ')}, or give --format.`,
    },
  );
}
