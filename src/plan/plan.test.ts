import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseName } from '../base/types.ts';
import { findRelease, releases } from '../catalog/catalog.ts';
import { readCatalogFolder } from '../catalog/folder.ts';
import { basePackages } from '../families/debian/packages.ts';
import type { ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { imageConfig, planImage, type Plan } from './plan.ts';

const catalog = await readCatalogFolder();

/** A made-up resolution: every wanted package in one version. */
function resolved(names: readonly string[], arch: string): ResolvedPackage[] {
  return names.map((name) => ({
    name,
    version: '1.0-1',
    arch,
    sha256: createHash('sha256').update(`${name}/${arch}`).digest('hex'),
    size: 1000,
    path: `pool/main/${name}_1.0-1_${arch}.deb`,
    archive: 'archive',
    essential: name === 'base-files',
  }));
}

function planOf(changes: Partial<ResolvedTemplate> = {}, change: (packages: ResolvedPackage[]) => ResolvedPackage[] = (packages) => packages): Plan {
  const template: ResolvedTemplate = {
    name: parseName('web', 'an image'),
    release: 'debian-12',
    arch: 'amd64',
    kernel: 'cloud',
    disk: { size: 4 * 2 ** 30, filesystem: 'ext4' },
    ...changes,
  };
  const release = findRelease(catalog, template.release);
  const names = basePackages(release, { arch: template.arch, kernel: template.kernel, filesystem: template.disk.filesystem });
  return planImage(template, release, { packages: change(resolved(['base-files', ...names], template.arch)), expiredMetadata: false });
}

const keyOf = (plan: Plan): string => plan.layers.map((layer) => layer.key).join(' ');

// One line for each template: a change shows what it would rebuild.
test('the keys of a spread of templates are as they were', async () => {
  const spread = releases(catalog).flatMap(({ id }) =>
    (['amd64', 'arm64'] as const).flatMap((arch) =>
      (['ext4', 'xfs', 'btrfs'] as const).flatMap((filesystem) =>
        (['cloud', 'generic'] as const).map((kernel) => {
          const plan = planOf({ release: id, arch, kernel, disk: { size: 4 * 2 ** 30, filesystem } });
          return `${id} ${arch} ${filesystem} ${kernel}: ${keyOf(plan)}`;
        }),
      ),
    ),
  );
  await expect(`${spread.join('\n')}\n`).toMatchFileSnapshot('../../tests/golden/keys.txt');
});

describe('a key', () => {
  test('does not depend on the order in which packages were resolved, nor on where they are downloaded from', () => {
    const key = keyOf(planOf());
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 60, maxLength: 60 }), (order) => {
        const shuffled = (packages: ResolvedPackage[]): ResolvedPackage[] =>
          packages
            .map((item, i) => ({ item, at: order[i] ?? 0 }))
            .toSorted((a, b) => a.at - b.at)
            .map(({ item }) => item);
        expect(keyOf(planOf({}, shuffled))).toBe(key);
      }),
    );
    expect(keyOf(planOf({}, (packages) => packages.map((item) => ({ ...item, path: `elsewhere/${item.path}`, archive: 'security' }))))).toBe(key);
  });

  test('changes with every package that changes', () => {
    const key = keyOf(planOf());
    fc.assert(
      fc.property(fc.nat({ max: 20 }), (index) => {
        expect(
          keyOf(planOf({}, (packages) => packages.map((item, i) => (i === index ? { ...item, version: '1.0-2', sha256: 'f'.repeat(64) } : item)))),
        ).not.toBe(key);
      }),
    );
  });

  test.each<Partial<ResolvedTemplate>>([
    { arch: 'arm64' },
    { kernel: 'generic' },
    { disk: { size: 5 * 2 ** 30, filesystem: 'ext4' } },
    { disk: { size: 4 * 2 ** 30, filesystem: 'xfs' } },
    { release: 'debian-13' },
  ])('changes with %j', (changes) => {
    expect(keyOf(planOf(changes))).not.toBe(keyOf(planOf()));
  });

  test("does not change with the image's name: images of one content share their layers", () => {
    expect(keyOf(planOf({ name: parseName('other', 'an image') }))).toBe(keyOf(planOf()));
  });
});

test("the image keeps the catalog's mirrors and says nothing of where it was built", () => {
  const config = JSON.stringify(imageConfig(planOf(), []));
  const release = findRelease(catalog, 'debian-12');
  expect(config).toContain(release.mirrors.archive);
  expect(config).not.toMatch(/pool\//);
});
