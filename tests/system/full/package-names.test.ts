import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IngotError } from '../../../src/base/errors.ts';
import { archiveOf, findRelease, shippedCatalog } from '../../../src/catalog/catalog.ts';
import { loadPackages, nativeOf } from '../../../src/catalog/packages.ts';
import { findRepository, repositoryWay } from '../../../src/catalog/repositories.ts';
import type { Release } from '../../../src/catalog/schema.ts';
import { chooseMirrors } from '../../../src/sources/bootstrap/mirrors.ts';
import { packageNames, refreshUpstream, type UpstreamOptions } from '../../../src/sources/bootstrap/upstream.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * Every Debian name of the catalog against the package lists of the releases themselves, read and verified as a build reads them. What a release lacks must
 * be written in the catalog, and what is written there must be so.
 */

const RELEASES = ['debian-12', 'debian-13', 'debian-sid'];
/** Names of the catalog which Debian once gave to something else that nobody would ask for. */
const REUSED: Readonly<Record<string, string>> = { docker: 'a package without content that led to a docklet, in Debian 12 and before' };
const ARCH = 'amd64';
const reason = whyNot();
const catalog = await shippedCatalog();
const packages = await loadPackages();

describe.skipIf(reason !== undefined)(`Debian names of the package catalog${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  beforeAll(async () => void (home = await TestHome.make()));
  afterAll(() => home[Symbol.asyncDispose]());

  /** Names of all packages of a release and components; undefined, with what the mirror said, where none answers. */
  async function namesOf(release: Release, components: readonly string[]): Promise<ReadonlySet<string> | string> {
    const context = await home.context();
    const { mirror, 'security-mirror': security } = context.settings;
    const mirrors = await chooseMirrors(context.host, release, ARCH, { archive: mirror, security });
    const archive = archiveOf(release);
    const all = [...archive.components, ...components];
    const options: UpstreamOptions = {
      release: { ...release, archive: { ...archive, components: all } },
      arch: ARCH,
      mirrors,
      offline: false,
      allowExpired: true,
    };
    try {
      await refreshUpstream(context, options);
    } catch (error) {
      if (error instanceof IngotError && ['mirror-unreachable', 'release-missing'].includes(error.code)) return error.message;
      throw error;
    }
    return await packageNames(context, options);
  }

  test.for(RELEASES)('%s has exactly the packages that the catalog says', async (id, { skip }) => {
    const release = findRelease(catalog, id);
    const names = await namesOf(release, []);
    if (typeof names === 'string') return skip(names);
    expect(names.size).toBeGreaterThan(30_000);
    const wrong: string[] = [];
    for (const item of packages.values()) {
      const native = nativeOf(item, release, ARCH);
      if (native !== undefined && native.repository === undefined && !names.has(native.name)) wrong.push(`${id} has no ${native.name} (${item.name})`);
      const { name, repository } = item.debian;
      if (native === undefined && name !== null && repository === undefined && names.has(name)) wrong.push(`${id} has ${name} (${item.name}) after all`);
      if (native === undefined && name === null && names.has(item.name)) wrong.push(`${id} has a package ${item.name}, which the catalog denies`);
      // Who writes Debian's own name must get what it means there.
      if (native !== undefined && native.name !== item.name && names.has(item.name) && REUSED[item.name] === undefined) {
        wrong.push(`${id} has a package ${item.name}, and the catalog turns that name into ${native.name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.for(RELEASES)('%s has in its further components what the catalog says', async (id, { skip }) => {
    const release = findRelease(catalog, id);
    const further = [...packages.values()].flatMap((item) => {
      const native = nativeOf(item, release, ARCH);
      const way = native?.repository === undefined ? undefined : repositoryWay(findRepository(catalog, native.repository), release, ARCH);
      return native !== undefined && way !== undefined && 'component' in way ? [{ name: native.name, component: way.component }] : [];
    });
    expect(further.length).toBeGreaterThan(0);
    const plain = await namesOf(release, []);
    const names = await namesOf(release, [...new Set(further.map(({ component }) => component))]);
    if (typeof names === 'string') return skip(names);
    for (const { name } of further)
      expect({ name, plain: typeof plain === 'string' || plain.has(name), further: names.has(name) }).toEqual({ name, plain: false, further: true });
  });
});
