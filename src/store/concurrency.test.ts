import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { realHost } from '../base/host.ts';
import { hexOf, parseName, type Digest } from '../base/types.ts';
import {
  putSampleImage,
  recordsOf,
  reopen,
  sampleConfig,
  sampleHome,
  sampleLayer,
  sampleLayerFile,
  type SampleHome,
} from '../../tests/support/sample-images.ts';
import { readStore, type AlwaysThere, type ReadReport } from '../../tests/support/store-readers.ts';
import type { LayerRecord } from './model.ts';

/*
 * Readers take no lock. Whatever writers do meanwhile, each sees the old or the new state: never a half-written index, an image without its
 * layers, or one that is called damaged because it was removed, or came back, while it was read.
 */

const NOBODY: ReadonlyMap<Digest, readonly string[]> = new Map();

const STEPS = ['put', 'put again', 'tag', 'untag', 'remove', 'prune', 'prune layers', 'keep'] as const;
type Step = (typeof STEPS)[number];

/** A store with an image that stays, `base:latest`, and images on it that come and go. */
async function start(at: SampleHome): Promise<{ always: AlwaysThere; below: readonly LayerRecord[] }> {
  const base = await putSampleImage(at.store, at.home, 'base', ['latest', 'v1'], ['bootstrap', 'packages']);
  const below = await recordsOf(at.store, base);
  return { always: { image: 'base:latest', layer: below[1]!.key }, below };
}

/** Changes the store as builds and users do. The same bytes come back after they were removed, so that a digest goes and comes. */
async function write(at: SampleHome, below: readonly LayerRecord[], step: Step, number: number): Promise<void> {
  const store = reopen(at.host, at.home.root);
  const name = `web-${number % 3}`;
  const gone = (error: unknown): void => expect(error).toMatchObject({ code: 'image-unknown' });
  if (step === 'put' || step === 'put again') {
    const parent = below.at(-1)!.digest;
    const file = await sampleLayerFile(at.home, parent, step === 'put' ? `${number}` : name);
    const layer = await store.commitLayer(file, sampleLayer(name, parent));
    await store.putImage(sampleConfig([...below, layer], name), [...below, layer], parseName(name, 'an image'), ['latest', `v${number % 2}`]);
  } else if (step === 'tag') await store.tag(name, `copy:v${number % 2}`).catch(gone);
  else if (step === 'untag') await store.remove(`copy:v${number % 2}`, NOBODY).catch(gone);
  else if (step === 'remove') await store.remove(name, NOBODY).catch(gone);
  else if (step === 'keep') await store.prune(NOBODY, { keep: 1 });
  else await store.prune(NOBODY, { layers: step === 'prune layers' });
}

async function writeAll(at: SampleHome, below: readonly LayerRecord[], steps: readonly Step[]): Promise<void> {
  for (const [number, step] of steps.entries()) await write(at, below, step, number);
}

const steps = fc.array(fc.constantFrom(...STEPS), { minLength: 6, maxLength: 10 });

test('200 readers see no torn state while a writer puts, tags, removes and prunes', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (chosen) => {
      await using at = await sampleHome();
      const { always, below } = await start(at);
      let writing = true;
      const reading = readStore(reopen(at.host, at.home.root), always, 200, () => !writing);
      await writeAll(at, below, chosen).finally(() => (writing = false));
      const { reads, torn } = await reading;
      expect(torn).toEqual([]);
      expect(reads).toBeGreaterThanOrEqual(200);
      expect((await at.store.verify()).problems).toEqual([]);
    }),
    { numRuns: 3 },
  );
});

const PROCESSES = 3;
const READERS = 20;

test('nor do readers in other processes', { timeout: 60_000 }, async () => {
  await using at = await sampleHome();
  const { always, below } = await start(at);
  const script = fileURLToPath(new URL('../../tests/support/read-store.ts', import.meta.url));
  const { processes } = realHost();
  const readers = Array.from({ length: PROCESSES }, () =>
    processes.spawn([process.execPath, script, at.home.root, always.image, hexOf(always.layer), String(READERS)], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
    }),
  );
  const outputs = readers.map(() => '');
  for (const [i, { stdout }] of readers.entries()) stdout?.on('data', (data) => (outputs[i] += String(data)));
  await Promise.all(readers.map(({ stdout }) => once(stdout!, 'data')));
  for (const chosen of fc.sample(steps, 6)) await writeAll(at, below, chosen);
  for (const { stdin } of readers) stdin?.end();
  for (const [i, { ended }] of readers.entries()) {
    expect(await ended).toMatchObject({ exitCode: 0 });
    const report: ReadReport = JSON.parse(outputs[i]!.split('\n')[1] ?? '');
    expect(report.torn).toEqual([]);
    expect(report.reads).toBeGreaterThanOrEqual(READERS);
  }
  expect((await at.store.verify()).problems).toEqual([]);
});
