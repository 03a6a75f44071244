import { attach } from '../base/attached.ts';
import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import type { Argv } from '../base/process.ts';
import type { HostPath } from '../base/types.ts';

/**
 * Clusters of a compressed export. Larger ones compress better, but a guest that runs on the file unpacks a whole cluster for any byte of
 * it. Measured on a Debian 12 image: 149.3 MB with 64 KiB, 142.0 MB with 256 KiB, 141.6 MB with 1 MiB, 142.9 MB with 2 MiB.
 */
export const EXPORT_CLUSTERS = '256k';

/**
 * A chain of qcow2 files as a block device graph, for a `json:` file name (QEMU: docs/interop/qmp, BlockdevOptions). Every backing file is
 * given here, the bottom's as none: QEMU follows no header. `chain` is bottom first.
 */
export function chainGraph(chain: readonly HostPath[]): object {
  const [bottom, ...above] = chain;
  if (bottom === undefined) throw new IngotError('internal', 'chain-empty', 'A chain of no files cannot be opened');
  const node = (path: HostPath, backing: object | null): object => ({
    driver: 'qcow2',
    'read-only': true,
    file: { driver: 'file', filename: path, 'read-only': true },
    backing,
  });
  return above.reduce<object>((below, path) => node(path, below), node(bottom, null));
}

export interface ConvertOptions {
  /** The words of `qemu-img convert` that say what is written: `-O`, `-c`, `-o`, or those for a target that is there already. */
  readonly output: readonly string[];
  /** Write a qcow2's clusters in order, one after the other: slower, and always the same bytes. */
  readonly inOrder?: boolean;
  /** From 0 to 100. */
  readonly onProgress?: (percent: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Flattens a chain (bottom first) into one new file with qemu-img, which dies with this process. Throws `command-failed` with its words,
 * `command-missing`, and `interrupted`. What was written until then is the caller's to remove.
 */
export async function convertChain(host: Host, chain: readonly HostPath[], target: string, options: ConvertOptions): Promise<void> {
  // Sixteen requests in flight, in any order: compression then uses all cores.
  const parallel = options.inOrder === true ? ['-m', '1'] : ['-m', '16', '-W'];
  const convert: Argv = ['qemu-img', 'convert', '-p', ...parallel, ...options.output, `json:${JSON.stringify(chainGraph(chain))}`, target];
  options.signal?.throwIfAborted();
  const running = attach(host, convert, { stdout: 'pipe', stderr: 'pipe' });
  const stop = (): void => running.kill('SIGKILL');
  options.signal?.addEventListener('abort', stop, { once: true });
  running.stdout?.on('data', (data: Buffer) => {
    const percent = [...data.toString('latin1').matchAll(/\(([\d.]+)\/100%\)/g)].at(-1)?.[1];
    if (percent !== undefined) options.onProgress?.(Number(percent));
  });
  const { exitCode } = await running.ended;
  options.signal?.removeEventListener('abort', stop);
  if (exitCode === 0) return;
  if (options.signal?.aborted === true) throw new IngotError('interrupted', 'interrupted', 'Stopped while the image was exported');
  if (running.pid === undefined || (exitCode === 127 && /failed to execute/.test(running.words()))) {
    throw new IngotError('host', 'command-missing', 'The program qemu-img is not installed', {
      hint: 'Run `ingot doctor` to see what is missing and `ingot setup` to install it.',
    });
  }
  throw await running.failure();
}
