import type { HostPath } from '../base/types.ts';

export interface ChainOptions {
  /** Node name of the last file; the names of the others begin with it where `prefix` says so. */
  readonly top: string;
  readonly writable: boolean;
  /** Host page cache; `unsafe` for disks that are thrown away. */
  readonly cache?: 'default' | 'unsafe';
  /** Begins the names of all nodes but the top's: for one QEMU with several chains. */
  readonly prefix?: string;
}

export interface BlockNode extends Readonly<Record<string, unknown>> {
  readonly 'node-name': string;
}

/**
 * A chain of qcow2 files, bottom first, as an explicit graph of block nodes, each after those that it uses: every backing file is named
 * here, so that QEMU never follows what a header says. All but the last are read-only. (QEMU: qapi/block-core.json, BlockdevOptions.)
 */
export function chainNodes(chain: readonly HostPath[], options: ChainOptions): BlockNode[] {
  const prefix = options.prefix ?? '';
  return chain.flatMap((path, i) => {
    const last = i === chain.length - 1;
    const name = last ? options.top : `${prefix}layer${i}`;
    const readOnly = !(last && options.writable);
    const file = {
      driver: 'file',
      'node-name': `${name}-file`,
      filename: path,
      'read-only': readOnly,
      ...(readOnly ? {} : { discard: 'unmap' }),
      ...(last && options.cache === 'unsafe' ? { cache: { 'no-flush': true } } : {}),
    };
    const format = {
      driver: 'qcow2',
      'node-name': name,
      file: `${name}-file`,
      'read-only': readOnly,
      backing: i === 0 ? null : `${prefix}layer${i - 1}`,
      ...(last && options.writable ? { discard: 'unmap', 'detect-zeroes': 'unmap' } : {}),
    };
    return [file, format];
  });
}

/** The same as flags: `-blockdev` for QEMU, `--blockdev` for the storage daemon. */
export function chainArguments(chain: readonly HostPath[], options: ChainOptions & { readonly flag: '-blockdev' | '--blockdev' }): string[] {
  return chainNodes(chain, options).flatMap((node) => [options.flag, JSON.stringify(node)]);
}
