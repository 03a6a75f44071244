import { IngotError } from '../../base/errors.ts';
import { parseSize } from '../../base/types.ts';
import { checkDiskSize } from './overlay.ts';
import { ROOT_DISK, vmDiskSchema, type VmDisk } from './vm-record.ts';

/** Hot-plug slots of a machine: each holds one disk that was added. */
export const DISK_SLOTS = 8;

/** The seed is a disk, too, and the guest tells disks apart by their names. */
const TAKEN_NAMES: readonly string[] = [ROOT_DISK, 'seed'];
const LEAST_SIZE = 2 ** 20;

/** A disk that is to be added, empty. */
export interface NewDisk {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** Reads `NAME=SIZE`; throws `disk-invalid`, `disk-name-invalid`, `size-invalid`, `disk-too-small`, `disk-too-large`. */
export function parseNewDisk(text: string): NewDisk {
  const at = text.indexOf('=');
  if (at === -1) throw new IngotError('usage', 'disk-invalid', `"${text}" is no disk`, { hint: 'Write a name and a size: data=20GiB.' });
  return { name: parseDiskName(text.slice(0, at)), size: parseDiskSize(text.slice(at + 1)) };
}

/** Checks the name of a disk besides the root; throws `disk-name-invalid`. */
export function parseDiskName(text: string): string {
  if (vmDiskSchema.shape.name.safeParse(text).success && !TAKEN_NAMES.includes(text)) return text;
  const why = TAKEN_NAMES.includes(text) ? `Every VM has a disk of that name. ` : '';
  throw new IngotError('usage', 'disk-name-invalid', `"${text}" cannot be the name of a disk`, {
    hint: `${why}Names have lower-case letters, digits and dashes, start with a letter, and are at most 15 characters long.`,
  });
}

function parseDiskSize(text: string): number {
  const size = parseSize(text);
  if (size < LEAST_SIZE) throw new IngotError('usage', 'disk-too-small', `A disk of ${size} bytes is too small`, { hint: 'The smallest has 1MiB.' });
  checkDiskSize(size, 0);
  return size;
}

/** Gives new disks slots that no disk of the VM has. Throws `disk-exists`, `disk-slots-full`. Pure. */
export function placeDisks<T extends NewDisk>(disks: readonly Pick<VmDisk, 'name' | 'slot'>[], added: readonly T[]): (T & { readonly slot: number })[] {
  const names = new Set(disks.map(({ name }) => name));
  const used = new Set(disks.map(({ slot }) => slot));
  return added.map((disk) => {
    if (names.has(disk.name)) throw new IngotError('conflict', 'disk-exists', `There is a disk named ${disk.name} already`);
    const slot = Array.from({ length: DISK_SLOTS }, (_, index) => index).find((index) => !used.has(index));
    if (slot === undefined) throw new IngotError('usage', 'disk-slots-full', `A VM has ${DISK_SLOTS} disks besides its root at most`);
    names.add(disk.name);
    used.add(slot);
    return { ...disk, slot };
  });
}
