import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { realHost } from '../../../src/base/host.ts';
import { toIngotError } from '../../../src/base/errors.ts';
import { findPacker } from '../../../src/integrations/packer/build/find-packer.ts';
import { PACKER_RELEASES } from '../../support/packer-origin.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * Real Packer: every exported project is one that it takes, and one of them is built, from an image of ingot's as its disk; what comes out boots.
 */

const host = realHost();
const packer = await findPacker(host).catch((error: unknown) => toIngotError(error).message);
const reason = typeof packer === 'string' ? packer : undefined;

/** Packer would fetch the list of checksums to look at a project; a checksum of its own keeps it off the network. */
const GIVEN = ['-var', `iso_checksum=sha256:${'0'.repeat(64)}`, '-var', 'iso_url=https://example.org/medium.iso'];

describe.skipIf(reason !== undefined)(`Packer${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  const run = (...words: readonly string[]): Promise<{ stdout: string }> =>
    host.processes.run([typeof packer === 'string' ? 'packer' : packer.path, ...words], { cwd: home.root, env: { HOME: home.root, CHECKPOINT_DISABLE: '1' } });

  beforeAll(async () => {
    home = await TestHome.make();
    await mkdir(join(home.root, 'work/site'), { recursive: true });
    await writeFile(join(home.root, 'work/site/index.html'), 'made by Packer\n');
    await writeFile(
      join(home.root, 'work/small.yaml'),
      `name: small
from: debian-12
steps:
  - run: printf '%s\\n' "$WORDS" > /etc/words
    env: { WORDS: "it's $\{x} %{y} \\"q\\"" }
  - { copy: site, to: /srv/site }
`,
    );
  });

  afterAll(async () => {
    await home[Symbol.asyncDispose]();
  });

  test.each(PACKER_RELEASES.flatMap((id) => (['hcl', 'json'] as const).map((format) => [id, format] as const)))(
    'takes the project of %s in %s',
    async (id, format) => {
      const folder = join(home.root, `${id}-${format}`);
      const template = join(home.root, 'work', `${id}.yaml`);
      const subscription = id.startsWith('sles') ? 'subscription: { registration-code: { secret: sles-code } }\n' : '';
      await writeFile(template, `from: ${id}\npackages: [curl]\n${subscription}`);
      await home.json(['packer', 'export', template, '--format', format, '--output', folder, '--offline'], { INGOT_SECRET_SLES_CODE: 'code-of-a-test' });
      await run('validate', ...GIVEN, folder);
      // As people would lay it out themselves.
      if (format === 'hcl') await run('fmt', '-check', folder);
    },
  );

  const unbuilt = whyNot();
  test.skipIf(unbuilt !== undefined)(
    `builds on the disk of an image, and the result boots${unbuilt === undefined ? '' : ` (skipped: ${unbuilt})`}`,
    async () => {
      await home.json(['build', 'debian-12', '--no-gate', '--yes']);
      const built = await home.json(['packer', 'build', join(home.root, 'work/small.yaml'), '--from-image', 'debian-12']);
      expect(built).toMatchObject({ release: 'debian-12', reference: expect.stringMatching(/^small:file-/) });
      await home.json(['vm', 'create', 'small', '--image', 'small']);
      const { stdout } = await home.ingot(['vm', 'exec', 'small', '--', 'sh', '-c', 'cat /etc/words /srv/site/index.html; getent passwd packer || echo gone']);
      expect(stdout).toBe(`it's $\{x} %{y} "q"\nmade by Packer\ngone\n`);
      await home.json(['vm', 'delete', 'small', '--force']);
    },
  );
});
