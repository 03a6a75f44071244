import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod';
import { lockContent, parseLock } from '../../../src/build/lock-file.ts';
import { prepare } from '../../../src/build/prepare.ts';
import { archiveOf } from '../../../src/catalog/catalog.ts';
import { basePackages } from '../../../src/families/debian/packages.ts';
import { refreshUpstream, resolvePackages } from '../../../src/sources/bootstrap/upstream.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const reason = whyNot();

const planSchema = z.object({
  images: z.tuple([
    z.object({
      layers: z.array(z.object({ name: z.string(), kind: z.string(), inputs: z.record(z.string(), z.string()), packageNames: z.array(z.string()) })),
    }),
  ]),
});
const buildSchema = z.object({ images: z.tuple([z.object({ gate: z.object({ result: z.string() }) })]) });

/** No package is half-installed; run in the booted guest. */
const HEALTHY = 'dpkg --audit | wc -l | grep -qx 0 && ! dpkg-query -W -f "\\${db:Status-Abbrev}\\n" | grep -v "^ii"';

describe.skipIf(reason !== undefined)(`updates of an older image${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder: string;
  let behind: string[] = [];

  const template = async (name: string, text: string): Promise<string> => {
    const path = join(folder, `${name}.yaml`);
    await writeFile(path, `name: ${name}\n${text}`);
    return path;
  };
  const updateOf = async (path: string): Promise<string[] | undefined> => {
    const [{ layers }] = planSchema.parse(await home.json(['plan', path])).images;
    // Layers of the image below have no inputs here.
    return layers.find(({ kind, inputs }) => kind === 'update' && Object.keys(inputs).length > 0)?.packageNames;
  };

  /** An image as it would be had the security suite never been there: its packages are locked, and built exactly so. */
  beforeAll(async () => {
    home = await TestHome.make();
    folder = join(home.root, 'work');
    await mkdir(folder, { recursive: true });
    const context = await home.context();
    const path = await template('old', 'from: debian-12\n');
    const none = { variables: {}, roles: [], packages: [] };
    const prepared = await prepare(context, { template: path, ...none }, { offline: false, allowExpiredMetadata: false });
    const { release, template: wanted } = prepared.plan;
    const archive = archiveOf(release);
    const before = { ...release, id: 'before-security', archive: { ...archive, suites: archive.suites.slice(0, 1), securitySuite: undefined } };
    const mirrors = { archive: prepared.archives['archive'] ?? '', security: prepared.archives['security'] ?? '' };
    const options = { release: before, arch: wanted.arch, mirrors, offline: false, allowExpired: false };
    const names = basePackages(release, { ...wanted.disk, arch: wanted.arch, kernel: wanted.kernel });
    const { packages } = await resolvePackages(context, options, await refreshUpstream(context, options), names);
    const newest = new Map(prepared.upstream.packages.map(({ name, version }) => [name, version]));
    behind = packages.filter(({ name, version }) => newest.has(name) && newest.get(name) !== version).map(({ name }) => name);
    await writeFile(join(folder, 'ingot.lock'), stringify(lockContent([{ ...prepared, upstream: { ...prepared.upstream, packages } }]), { lineWidth: 0 }));
    await home.json(['build', path, '--frozen', '--no-gate', '--yes']);
  });

  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test('everything that is behind is in one layer, the image boots, and then there is nothing to do', async ({ skip }) => {
    if (behind.length === 0) skip('the mirror has no security updates for this release today');
    const updated = await template('updated', `from: { image: old }\nupdate: all\npackages: [tree]\ntests: [{ command: '${HEALTHY}' }]\n`);
    const names = await updateOf(updated);
    expect(names).toEqual(expect.arrayContaining(behind));
    const { images } = buildSchema.parse(await home.json(['build', updated, '--gate', 'quick', '--yes']));
    expect(images[0].gate.result).toBe('passed');
    expect(await updateOf(await template('again', 'from: { image: updated }\nupdate: all\n'))).toBeUndefined();
    const fresh = await template('fresh', 'from: debian-12\nupdate: all\n');
    expect(await updateOf(fresh)).toBeUndefined();
    // That there was nothing to do is locked, too.
    const context = await home.context();
    const request = { template: fresh, variables: {}, roles: [], packages: [] };
    const prepared = await prepare(context, request, { offline: false, allowExpiredMetadata: false });
    const lock = parseLock(lockContent([prepared]), 'ingot.lock');
    const frozen = await prepare(context, request, { offline: true, allowExpiredMetadata: false, lock });
    expect(frozen.plan.layers.map(({ key }) => key)).toEqual(prepared.plan.layers.map(({ key }) => key));
  });

  test('security updates are no more than all updates, and the lock file holds them', async ({ skip }) => {
    if (behind.length === 0) skip('the mirror has no security updates for this release today');
    const path = await template('secured', 'from: { image: old }\nupdate: security\n');
    const security = (await updateOf(path)) ?? [];
    const all = (await updateOf(await template('all', 'from: { image: old }\nupdate: all\n'))) ?? [];
    expect(security.length).toBeGreaterThan(0);
    expect(all).toEqual(expect.arrayContaining(security));
    await home.json(['lock', path]);
    expect(planSchema.parse(await home.json(['plan', path, '--offline'])).images[0].layers.at(-1)?.packageNames).toEqual(security);
    await home.json(['build', path, '--frozen', '--no-gate', '--yes']);
    const other = await template('secured', 'from: { image: old }\nupdate: all\n');
    expect((await home.ingot(['build', other, '--frozen', '--no-gate', '--yes'])).stderr).toContain(
      'the template asks for every update; locked is security updates',
    );
  });
});
