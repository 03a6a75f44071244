import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { SAMPLE_TEMPLATE } from '../../tests/support/sample-template.ts';
import { findRelease } from '../catalog/catalog.ts';
import { readCatalogFolder } from '../catalog/folder.ts';
import { planImage } from '../plan/plan.ts';
import { sectionsOf } from '../plan/sections.ts';
import type { ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { lockContent, parseLock, upstreamOf } from './lock-file.ts';
import type { Prepared } from './prepare.ts';

const catalog = await readCatalogFolder();

const TEMPLATE: ResolvedTemplate = { ...SAMPLE_TEMPLATE, packages: ['nginx', 'curl'] };

const hex = fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 }).map((digits) => digits.join(''));
const word = fc.stringMatching(/^[a-z0-9][a-z0-9.+~:-]{0,30}$/);
const packages = fc.uniqueArray(
  fc.record<ResolvedPackage>({
    name: word,
    version: word,
    arch: fc.constantFrom('amd64', 'all'),
    sha256: hex,
    size: fc.nat(),
    path: fc.stringMatching(/^[a-z0-9/%._~+-]{1,60}$/),
    archive: fc.constantFrom('archive', 'security', 'repository example'),
    essential: fc.boolean(),
  }),
  { selector: (item) => item.name, maxLength: 20 },
);

function prepared(template: ResolvedTemplate, base: readonly ResolvedPackage[], added: ResolvedPackage[]): Prepared {
  const release = findRelease(catalog, 'debian-12');
  const sections = sectionsOf(template, release);
  const upstream = {
    packages: base,
    resolutions: sections.map(() => ({ packages: added, removed: ['exim4'] })),
    indexes: { bookworm: 'a'.repeat(64) },
    expiredMetadata: false,
  };
  return { plan: planImage(template, release, undefined, sections, upstream), archives: {}, file: undefined, sections, upstream };
}

const byName = (items: readonly ResolvedPackage[]): ResolvedPackage[] => items.toSorted((a, b) => (a.name < b.name ? -1 : 1));

test('what was locked comes back as it was, through the text of the file', () => {
  fc.assert(
    fc.property(packages, packages, (base, added) => {
      const one = prepared(TEMPLATE, base, added);
      const lock = parseLock(parse(stringify(lockContent([one]), { lineWidth: 0 })), 'ingot.lock');
      const locked = lock.images['web'];
      expect(locked).toBeDefined();
      if (locked === undefined) return;
      const upstream = upstreamOf(locked, TEMPLATE, one.sections, undefined);
      expect(byName(upstream.packages)).toEqual(byName(base));
      expect(upstream.resolutions.map((each) => each && { ...each, packages: byName(each.packages) })).toEqual([
        { packages: byName(added), removed: ['exim4'] },
      ]);
      expect(upstream.indexes).toEqual(one.upstream.indexes);
    }),
    { numRuns: 50 },
  );
});

test('the same resolution gives the same text in whatever order packages were found', () => {
  fc.assert(
    fc.property(packages, packages, (base, added) => {
      expect(stringify(lockContent([prepared(TEMPLATE, base.toReversed(), added.toReversed())]))).toBe(
        stringify(lockContent([prepared(TEMPLATE, base, added)])),
      );
    }),
    { numRuns: 20 },
  );
});

test.each<[string, Partial<ResolvedTemplate>]>([
  ['further packages', { packages: ['nginx', 'curl', 'jq'] }],
  ['another architecture', { arch: 'arm64' }],
  ['another release', { base: { kind: 'release', release: 'debian-13' } }],
  ['no packages any more', { packages: [] }],
])('a template with %s is not the one that was locked', (_, changes) => {
  const lock = parseLock(parse(stringify(lockContent([prepared(TEMPLATE, [], [])]))), 'ingot.lock');
  const locked = lock.images['web'];
  if (locked === undefined) throw new Error('nothing was locked');
  const template = { ...TEMPLATE, ...changes };
  expect(() => upstreamOf(locked, template, sectionsOf(template, findRelease(catalog, 'debian-12')), undefined)).toThrow('is not for web as it is now');
});

test('a file that is no lock is refused with what is wrong', () => {
  expect(() => parseLock({ v: 2 }, 'ingot.lock')).toThrow('not a lock file');
  expect(() => parseLock('text', 'ingot.lock')).toThrow('not a lock file');
});
