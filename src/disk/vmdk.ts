import { IngotError } from '../base/errors.ts';
import type { Files } from '../base/files.ts';

/*
 * The header of a VMDK file, and the descriptor in it (VMware: "Virtual Disk Format 5.0"; QEMU: block/vmdk.c). A descriptor can name any file of the host
 * as an extent or as a parent: what does is refused before any tool of QEMU sees it.
 */

const SECTOR = 512;
/** Bytes; a descriptor that is text of a page or two. */
const LARGEST_DESCRIPTOR = 64 * 2 ** 10;
const FIELD = { version: 4, capacity: 12, descriptorOffset: 28, descriptorSize: 36 } as const;
const HEADER_LENGTH = 79;
export const VMDK_MAGIC = 'KDMV';
/** Kinds of VMDK that are one file. */
const ONE_FILE = ['monolithicSparse', 'streamOptimized'];

export interface VmdkHeader {
  /** Bytes of the disk that a guest sees. */
  readonly virtualSize: number;
  readonly createType: string;
}

/** Reads and checks the header of a file and its descriptor; throws `vmdk-invalid`. */
export async function readVmdkHeader(files: Pick<Files, 'readPart'>, path: string): Promise<VmdkHeader> {
  const header = Buffer.from(await files.readPart(path, 0, HEADER_LENGTH));
  const { virtualSize, at, size } = parseVmdkHeader(header);
  return { virtualSize, ...parseVmdkDescriptor(Buffer.from(await files.readPart(path, at, size)).toString('latin1')) };
}

/** The sizes in a header, checked; pure. Throws `vmdk-invalid`. */
export function parseVmdkHeader(header: Buffer): { readonly virtualSize: number; readonly at: number; readonly size: number } {
  if (header.length < HEADER_LENGTH || header.toString('latin1', 0, 4) !== VMDK_MAGIC) throw invalid('it has no header of one');
  const version = header.readUInt32LE(FIELD.version);
  if (version < 1 || version > 3) throw invalid(`it is of version ${version}`);
  const sectors = header.readBigUInt64LE(FIELD.capacity);
  const [offset, size] = [header.readBigUInt64LE(FIELD.descriptorOffset), header.readBigUInt64LE(FIELD.descriptorSize)];
  // Without a size of its own the descriptor alone would say where the disk is.
  if (sectors === 0n || sectors > BigInt(Math.floor(Number.MAX_SAFE_INTEGER / SECTOR))) throw invalid('its size makes no sense');
  if (offset === 0n || size === 0n) throw invalid('it has no descriptor in it, so that it is part of a disk');
  if (size * BigInt(SECTOR) > BigInt(LARGEST_DESCRIPTOR) || offset > 2n ** 32n) throw invalid('its descriptor is out of bounds');
  return { virtualSize: Number(sectors) * SECTOR, at: Number(offset) * SECTOR, size: Number(size) * SECTOR };
}

/** Checks that a descriptor is of a disk in one file that stands on nothing; pure. Throws `vmdk-invalid`. */
export function parseVmdkDescriptor(text: string): { readonly createType: string } {
  const lines = text
    .replace(/\0[\s\S]*$/, '')
    .split(/\r?\n/)
    .map((line) => line.trim());
  const value = (name: string): string =>
    (lines.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}=`)) ?? '')
      .slice(name.length + 1)
      .replaceAll('"', '')
      .trim();
  const createType = value('createType');
  if (!ONE_FILE.includes(createType))
    throw invalid(createType === '' ? 'its descriptor does not say of what kind it is' : `it is of the kind ${createType}, whose data lie in other files`);
  const extents = lines.filter((line) => /^(RW|RDONLY|NOACCESS)\s/i.test(line));
  if (extents.length !== 1 || !/^RW\s+\d+\s+SPARSE\s+"[^"/\\]*"$/i.test(extents[0] ?? '')) throw invalid('its descriptor names other files for its data');
  const parent = value('parentCID').toLowerCase();
  if ((parent !== '' && parent !== 'ffffffff') || value('parentFileNameHint') !== '') throw invalid('it stands on another disk');
  return { createType };
}

function invalid(why: string): IngotError {
  return new IngotError('verification', 'vmdk-invalid', `This is not a VMDK file that ingot accepts: ${why}`, {
    hint: 'Accepted are disks in one file: monolithicSparse and streamOptimized.',
  });
}
