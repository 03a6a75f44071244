import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { RELEASES, sampleFacts } from '../../../../tests/support/install-facts.ts';
import { packedAnswers, writeAnswers } from './answers.ts';

const GOLDEN = join(import.meta.dirname, '../../../../tests/golden/answers');

test.each(RELEASES.map(({ kind, release }) => [release.distribution, kind, release] as const))(
  'the answers of %s are those that are checked in',
  async (distribution, kind, release) => {
    const answers = writeAnswers(kind, sampleFacts(release));
    for (const { name, text } of answers.files) await expect(text).toMatchFileSnapshot(join(GOLDEN, distribution, name));
    const { http, disk } = answers.delivery;
    const ways = [`http: ${http?.('http://<host>:<port>').join(' ') ?? '-'}`, `disk ${disk?.label ?? '-'}: ${disk?.kernelArguments.join(' ') ?? ''}`];
    await expect(`${ways.join('\n')}\n`).toMatchFileSnapshot(join(GOLDEN, distribution, 'kernel-arguments.txt'));
  },
);

test('the documentation shows them', async () => {
  const shown = RELEASES.flatMap(({ kind, release }) => [
    `## ${release.distribution} ${release.version}: ${kind}\n`,
    ...writeAnswers(kind, sampleFacts(release)).files.flatMap(({ name, text }) => [`\`${name}\`:\n`, `\`\`\`\n${text}\`\`\`\n`]),
  ]);
  const head =
    '# Answer files of each distribution\n\nWhat [the same facts](../answer-files.md) are in the words of each installer. Written by a test, which also compares them.\n';
  await expect(`${[head, ...shown].join('\n')}`).toMatchFileSnapshot(join(import.meta.dirname, '../../../../docs/examples/answer-files.md'));
});

test('an overlay is a tar file that starts the installation, the same from the same facts', () => {
  const answers = writeAnswers('setup-alpine', sampleFacts({ distribution: 'alpine', version: '3.22', architecture: 'amd64' }));
  const [first, second] = [packedAnswers(answers), packedAnswers(answers)];
  expect(first).toEqual(second);
  expect(first[0]?.name).toBe(answers.fetchedFirst);
  const tar = gunzipSync(first[0]?.content ?? Buffer.alloc(0)).toString('latin1');
  for (const name of ['etc/local.d/ingot.start', 'etc/ingot/answers', 'etc/.default_boot_services', '/etc/init.d/local']) expect(tar).toContain(name);
});
