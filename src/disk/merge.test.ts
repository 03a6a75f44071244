import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { realHost } from '../base/host.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import { chainGraph } from './convert.ts';
import { compressLayer } from './compress.ts';
import { mergeAbove } from './merge.ts';
import { emptyQcow2 } from './qcow2.ts';

const lacking = process.platform === 'linux' && existsSync('/usr/bin/qemu-img') ? undefined : 'qemu-img is not installed';
const folder = mkdtempSync(join(tmpdir(), 'ingot-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MIB = 2 ** 20;
/** A write of a pattern, or of zeros, at places that share clusters and do not. */
const write = fc.record({ at: fc.nat(60).map((n) => n * 32), length: fc.integer({ min: 1, max: 40 }).map((n) => n * 8), zero: fc.boolean() });
const file = fc.record({ writes: fc.array(write, { maxLength: 4 }), grows: fc.nat(2) });

test.skipIf(lacking !== undefined)(
  `what a VM wrote becomes one layer that reads as the whole chain${lacking === undefined ? '' : ` (skipped: ${lacking})`}`,
  { timeout: 600_000 },
  async () => {
    const host = realHost();
    const { signal } = new AbortController();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 2, maxLength: 3 }), async (files) => {
        count += 1;
        const chain: HostPath[] = [];
        let size = 4 * MIB;
        let pattern = 0;
        for (const [i, { writes, grows }] of files.entries()) {
          size += i === 0 ? 0 : grows * MIB;
          const path = hostPath(join(folder, `${count}-${i}.qcow2`));
          const backing = chain.at(-1);
          await host.files.write(path, emptyQcow2({ virtualSize: size, ...(backing === undefined ? {} : { backing: { name: backing, format: 'qcow2' } }) }));
          const commands = writes.map(({ at, length, zero }) => `write ${zero ? '-z' : `-P ${(pattern += 1)}`} ${at}k ${length}k`);
          if (commands.length > 0) execFileSync('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
          chain.push(path);
        }
        const below = chain.slice(0, 1);
        const [overlay, layer] = [hostPath(join(folder, `${count}-merged.qcow2`)), hostPath(join(folder, `${count}-layer.qcow2`))];
        await host.files.write(overlay, emptyQcow2({ virtualSize: size, backing: { name: below[0] ?? '', format: 'qcow2' } }));
        await mergeAbove(host, { below, above: chain.slice(1) }, overlay, { signal });
        await compressLayer(host, below, overlay, layer, signal);
        for (const path of [overlay, layer]) {
          const graph = (paths: readonly HostPath[]): string => `json:${JSON.stringify(chainGraph(paths))}`;
          expect(String(execFileSync('qemu-img', ['compare', graph([...below, path]), graph(chain)]))).toMatch(/identical/);
        }
      }),
      { numRuns: 4 },
    );
  },
);
