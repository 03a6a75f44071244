import { hashValue, keyOf } from '../base/hash.ts';
import type { Digest, Key } from '../base/types.ts';
import type { Release } from '../catalog/schema.ts';
import { planDisk } from '../disk/layout.ts';
import { debianRecipe } from '../families/debian/recipe.ts';
import type { BootstrapRecipe, ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { ImageConfig, InstalledPackage } from '../store/model.ts';
import type { ResolvedTemplate } from '../template/template.ts';

/** Version of what a key is made of. A change remakes every layer. */
const KEY_FORMAT = 1;

/** One layer to be: what makes it, and the key under which it is kept. */
export interface LayerPlan {
  readonly name: string;
  readonly key: Key;
  /** Hashes of the parts of the key, by name: `explain` says which one differs. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly packages: readonly InstalledPackage[];
  readonly recipe: BootstrapRecipe;
}

/** What a build will do; a plain value, made without touching anything. */
export interface Plan {
  readonly template: ResolvedTemplate;
  readonly release: Release;
  /** Bottom first. */
  readonly layers: readonly LayerPlan[];
  readonly expiredMetadata: boolean;
}

/** What planning needs to know of the world outside. */
export interface Upstream {
  /** The base packages, resolved. */
  readonly packages: readonly ResolvedPackage[];
  readonly expiredMetadata: boolean;
}

/** The plan of an image: pure, so the same template, catalog and upstream state give the same keys. */
export function planImage(template: ResolvedTemplate, release: Release, upstream: Upstream): Plan {
  const packages = upstream.packages.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const seed = hashValue([template.release, template.arch, template.disk, packages.map((item) => item.sha256)]);
  const disk = planDisk({ ...template.disk, arch: template.arch, seed });
  const recipe = debianRecipe(release, { arch: template.arch, kernel: template.kernel, filesystem: template.disk.filesystem }, packages, disk);
  return { template, release, layers: [bootstrapLayer(recipe)], expiredMetadata: upstream.expiredMetadata };
}

function bootstrapLayer(recipe: BootstrapRecipe): LayerPlan {
  const { packages, disk, boot, ext4Features, files, filesBefore, arch, release, ...method } = recipe;
  // Where a package was found is not what it is: a mirror's layout must not change a key.
  const identities = packages.map(({ name, version, arch: packageArch, sha256 }) => ({ name, version, arch: packageArch, sha256 }));
  const parts = { release, arch, packages: identities, files: [filesBefore, files], disk: [disk, ext4Features], boot, method };
  return {
    name: 'bootstrap',
    key: keyOf({ format: KEY_FORMAT, source: 'bootstrap', ...parts }),
    inputs: Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, typeof value === 'string' ? value : hashValue(value)])),
    packages: identities.map(({ name, version, arch: packageArch }) => ({ name, version, arch: packageArch })),
    recipe,
  };
}

/** The config of the image that a plan makes, given its layers' digests: no time, result or path in it. */
export function imageConfig(plan: Plan, digests: readonly Digest[]): ImageConfig {
  const { template, release } = plan;
  return {
    architecture: template.arch,
    os: 'linux',
    'os.version': release.version,
    rootfs: { type: 'layers', diff_ids: [...digests] },
    'dev.ingot.image': {
      v: 1,
      template: template.name,
      release: release.id,
      family: release.family,
      kernel: template.kernel,
      disk: template.disk,
      defaultUser: release.defaultUser,
      repositories: [
        ...release.suites.map((suite) => `${release.mirrors.archive} ${suite}`),
        ...(release.securitySuite === undefined ? [] : [`${release.mirrors.security} ${release.securitySuite}`]),
      ],
      expiredMetadata: plan.expiredMetadata,
      layers: plan.layers.map(({ name, key, packages }) => ({ name, key, packages: [...packages] })),
    },
  };
}
