import type { Host } from '../base/host.ts';
import type { Argv } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';
import { chainGraph } from './convert.ts';

/** A disk whose lower files are an image's layers, and whose upper ones are not. Both bottom first. */
export interface SplitChain {
  readonly below: readonly HostPath[];
  readonly above: readonly HostPath[];
}

/**
 * Writes what the upper files of a chain hold into an empty overlay on the lower ones, which then reads as the whole chain does. qemu-img copies only
 * what a file holds itself, so each is written over those below it. `onFile` hears how many are done. The lower files are blobs, whose backing
 * names the store has checked.
 */
export async function mergeAbove(
  host: Host,
  { below, above }: SplitChain,
  overlay: HostPath,
  options: { readonly signal: AbortSignal; readonly onFile?: (done: number) => void },
): Promise<void> {
  const base = below.at(-1);
  if (base === undefined) throw new Error('an overlay has a chain');
  for (const [i] of above.entries()) {
    options.onFile?.(i);
    const graph = `json:${JSON.stringify(chainGraph([...below, ...above.slice(0, i + 1)]))}`;
    const argv: Argv = ['qemu-img', 'convert', '-n', '-W', '-m', '8', '-B', base, '-F', 'qcow2', '-O', 'qcow2', graph, overlay];
    await host.processes.run(argv, { timeout: 3600, signal: options.signal });
  }
  // With the disk full, qemu-img can report success: only this does not.
  await host.files.sync(overlay);
}
