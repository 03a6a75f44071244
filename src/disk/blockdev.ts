import type { HostPath } from '../base/types.ts';

export interface ChainOptions {
  /** Node name of the last file. */
  readonly top: string;
  readonly writable: boolean;
  /** `-blockdev` for QEMU, `--blockdev` for the storage daemon. */
  readonly flag: '-blockdev' | '--blockdev';
  /** Host page cache; `unsafe` for disks that are thrown away. */
  readonly cache?: 'default' | 'unsafe';
}

/**
 * A chain of qcow2 files, bottom first, as an explicit graph of block nodes: every backing file is named here, so
 * that QEMU never follows what a header says. All but the last are read-only.
 */
export function chainArguments(chain: readonly HostPath[], options: ChainOptions): string[] {
  return chain.flatMap((path, i) => {
    const last = i === chain.length - 1;
    const name = last ? options.top : `layer${i}`;
    const readOnly = !(last && options.writable);
    const file = {
      driver: 'file',
      'node-name': `${name}-file`,
      filename: path,
      'read-only': readOnly,
      ...(last && options.cache === 'unsafe' ? { cache: { 'no-flush': true } } : {}),
    };
    const format = {
      driver: 'qcow2',
      'node-name': name,
      file: `${name}-file`,
      'read-only': readOnly,
      backing: i === 0 ? null : `layer${i - 1}`,
      ...(last && options.writable ? { discard: 'unmap', 'detect-zeroes': 'unmap' } : {}),
    };
    return [options.flag, JSON.stringify(file), options.flag, JSON.stringify(format)];
  });
}
