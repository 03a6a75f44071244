import { expect, test, vi } from 'vitest';
import { cloudLab } from '../../tests/support/cloud-lab.ts';
import { publishLab } from '../../tests/support/publish-lab.ts';
import { sampleGate } from '../../tests/support/sample-images.ts';
import { SimCloud } from '../../tests/simulators/cloudstack/cloud.ts';
import type { Store } from '../store/store.ts';
import type { Image } from '../store/model.ts';
import { listPublications } from './journal.ts';

// Each is several publications; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const TESTS = [
  { name: 'test: the shop answers', script: 'curl -sf http://localhost >/dev/null || echo "it does not"' },
  { name: 'role docker: service docker running', script: 'true' },
];

/** The image as a gate leaves it whose template has tests. */
async function withTests(store: Store, image: Image): Promise<Image> {
  await store.addGate(image, { ...sampleGate('passed'), tests: TESTS });
  return await store.resolve(image.digest);
}

const answers = (first: string, second: string): string => `\u001e${TESTS[0]?.name ?? ''}\n${first}\u001e${TESTS[1]?.name ?? ''}\n${second}\u001eend\n`;

test("a template's own tests run in the trial, and what they find are checks of the place", async () => {
  await using lab = await publishLab();
  const image = await withTests(lab.at.store, await lab.image());
  const scripts: string[] = [];
  lab.ssh.scripts = (script) => {
    scripts.push(script);
    return answers('', 'it is dead\n');
  };
  await expect(lab.publish(image)).rejects.toMatchObject({ code: 'target-gate-failed', problems: [{ path: TESTS[1]?.name, message: 'it is dead' }] });
  expect(scripts).toEqual([expect.stringContaining('curl -sf')]);
  expect(lab.ssh.calls.at(-1)).toBe('192.0.2.10 -- sudo -n sh');
  lab.ssh.scripts = () => answers('', '');
  const { publication } = await lab.publish(image);
  expect(publication.places[0]?.checks.map(({ name, result }) => `${name} ${result}`).slice(-3)).toEqual([
    'cloud-init passed',
    'test: the shop answers passed',
    'role docker: service docker running passed',
  ]);
});

test('tests that are cut short have failed; without a login they are not run', async () => {
  await using lab = await publishLab();
  const image = await withTests(lab.at.store, await lab.image());
  await expect(lab.publish(image)).rejects.toMatchObject({ code: 'target-gate-failed' });
  expect((await listPublications(lab.context()))[0]?.places[0]?.checks.filter(({ result }) => result === 'failed')).toHaveLength(2);
  const { publication } = await lab.publish(image, { ssh: false });
  expect(publication.places[0]?.checks.filter(({ result }) => result === 'not-run').map(({ name }) => name)).toEqual([
    'login',
    'cloud-init',
    ...TESTS.map(({ name }) => name),
  ]);
});

test('they run in each zone', async () => {
  await using lab = await cloudLab({ cloud: new SimCloud(['z1', 'z2']) });
  const image = await withTests(lab.at.store, await lab.image());
  lab.guest.scripts = () => answers('', '');
  const { publication } = await lab.publish(image);
  expect(publication.places.map(({ checks }) => checks.filter(({ name }) => name.startsWith('role docker')).map(({ result }) => result))).toEqual([
    ['passed'],
    ['passed'],
  ]);
});
