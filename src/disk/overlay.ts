import type { Host } from '../base/host.ts';
import type { HostPath } from '../base/types.ts';

/**
 * Makes an empty qcow2 on top of a chain (bottom first). The backing name in its header is for tools and people: ingot
 * itself always hands QEMU the whole chain. `size` in bytes; without it, the size of what is below.
 */
export async function createOverlay(host: Host, path: HostPath, chain: readonly HostPath[], size?: number): Promise<void> {
  const base = chain.at(-1);
  if (base === undefined) throw new Error('an overlay needs something below it');
  await host.processes.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', path, ...(size === undefined ? [] : [String(size)])]);
}
