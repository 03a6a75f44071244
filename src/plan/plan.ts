import { canonicalJson, hashValue, keyOf } from '../base/hash.ts';
import { IngotError } from '../base/errors.ts';
import type { Digest, Key } from '../base/types.ts';
import { archiveOf } from '../catalog/catalog.ts';
import type { Release, ReleaseArchive } from '../catalog/schema.ts';
import { planDisk } from '../disk/layout.ts';
import { familyFor, plannedPackages } from '../families/families.ts';
import type { Changes } from '../families/changes.ts';
import type { Family } from '../families/family.ts';
import type { BootMenu, ChangeRecipe, Registration } from '../families/recipe.ts';
import type { BootstrapRecipe, ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { Resolution } from '../sources/bootstrap/upstream.ts';
import { isForeign, type GuestSettings, type ImageConfig, type InstalledPackage } from '../store/model.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { guestSettings } from './guest-settings.ts';
import { insidePackages, lastCommands, registrationOf } from './inside.ts';
import type { BaseLayer, LayerPlan, LayerRecipe } from './layers.ts';
import type { Section } from './sections.ts';

/** Version of what a key is made of. A change remakes every layer. */
const KEY_FORMAT = 2;

/** What a build will do; a plain value, made without touching anything. */
export interface Plan {
  readonly template: ResolvedTemplate;
  readonly release: Release;
  /** The image that the template starts from, where it is not a release; its layers come first. */
  readonly base: BaseImage | undefined;
  /** The layers to be, bottom first. */
  readonly layers: readonly LayerPlan[];
  readonly kernelArguments: readonly string[];
  readonly expiredMetadata: boolean;
}

/** An image that a template starts from. */
export interface BaseImage {
  readonly reference: string;
  readonly digest: Digest;
  /** A release of the catalog. */
  readonly release: string;
  readonly arch: string;
  /** Bottom first. */
  readonly layers: readonly BaseLayer[];
  /** Bytes of its disk. */
  readonly virtualSize: number;
  readonly kernel: string;
  readonly kernelArguments: readonly string[];
  readonly repositories: readonly string[];
  readonly guest?: GuestSettings;
  readonly expiredMetadata: boolean;
  /** It is the cloud image of its release as it was downloaded. */
  readonly isCloudImage?: boolean;
  /** Its root stays as it is on a larger disk. */
  readonly grows?: false;
  /** It is the tree of a root file system as it was published, from the archive with this digest: nothing starts it yet. */
  readonly tree?: Digest;
  /** It is what an installer put on its disk, as it left it. */
  readonly isInstalled?: boolean;
}

/** What planning needs to know of the world outside. */
export interface Upstream {
  /** The base packages, resolved; none where the template starts from an image. */
  readonly packages: readonly ResolvedPackage[];
  /** One for each section, undefined where it needs no packages. */
  readonly resolutions: readonly (Resolution | undefined)[];
  /** Hashes of the package indexes: part of the keys of steps with network. */
  readonly indexes: Readonly<Record<string, string>>;
  readonly expiredMetadata: boolean;
}

/** The plan of an image: pure, so the same template, catalog and upstream state give the same keys. */
export function planImage(template: ResolvedTemplate, release: Release, base: BaseImage | undefined, sections: readonly Section[], upstream: Upstream): Plan {
  const family = familyFor(release);
  const layers: LayerPlan[] = base === undefined ? [baseLayer(template, release, upstream.packages)] : [];
  let kernelArguments = base?.kernelArguments ?? family.kernelArguments;
  sections.forEach((section, i) => {
    if (section.kind !== 'step' && section.update !== undefined && family.planned !== undefined && isEmpty(upstream.resolutions[i])) return;
    if (section.kind !== 'step') kernelArguments = [...kernelArguments, ...section.changes.kernelArguments];
    const menu = { release: release.id, kernelArguments };
    const below = layers.at(-1)?.key ?? bottomOf(base);
    if (below === undefined) throw new IngotError('internal', 'plan-empty', 'A layer needs one to stand on');
    const common = {
      below,
      virtualSize: template.disk.size,
      release,
      family,
      ...registrationOf(template, family),
      about: { release: release.id, arch: template.arch },
      firmware: template.disk.firmware === 'uefi' || template.arch !== 'amd64' ? ('uefi' as const) : ('bios' as const),
    };
    layers.push(section.kind === 'step' ? stepLayer(section, menu, upstream.indexes, common) : changeLayer(section, menu, upstream, i, common));
  });
  return { template, release, base, layers, kernelArguments, expiredMetadata: upstream.expiredMetadata || base?.expiredMetadata === true };
}

function isEmpty(resolution: Resolution | undefined): boolean {
  return resolution === undefined || (resolution.packages.length === 0 && resolution.removed.length === 0);
}

/**
 * What the key of the first layer on an image holds of it. A disk from elsewhere is its file's hash, which its layer's key is made of: how this host
 * compressed its copy is nothing that another host would do the same. What an installer made is another disk each time, and is its digest.
 */
function bottomOf(base: BaseImage | undefined): Key | Digest | undefined {
  const [disk] = base?.layers ?? [];
  const asItCame = base !== undefined && base.layers.length === 1 && base.isInstalled !== true && (isForeign(base.layers) || base.isCloudImage === true);
  return asItCame ? disk?.key : base?.digest;
}

/** The base layers of many templates are one: it is planned once for each package list. */
const baseLayers = new WeakMap<readonly ResolvedPackage[], Map<string, LayerPlan>>();

function baseLayer(template: ResolvedTemplate, release: Release, resolved: readonly ResolvedPackage[]): LayerPlan {
  const known = baseLayers.get(resolved) ?? new Map<string, LayerPlan>();
  baseLayers.set(resolved, known);
  const question = canonicalJson([release.id, template.arch, template.kernel, template.disk]);
  const found = known.get(question);
  if (found !== undefined) return found;
  const packages = resolved.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const seed = hashValue([release.id, template.arch, template.disk, packages.map((item) => item.sha256)]);
  const disk = planDisk({ ...template.disk, arch: template.arch, seed });
  const recipe = plannedPackages(release).bootstrap(release, { ...template.disk, arch: template.arch, kernel: template.kernel }, packages, disk);
  const layer = bootstrapLayer(recipe);
  known.set(question, layer);
  return layer;
}

function bootstrapLayer(recipe: BootstrapRecipe): LayerPlan {
  const { packages, disk, boot, ext4Features, files, filesBefore, arch, release, ...method } = recipe;
  const identities = identitiesOf(packages);
  const parts = { release, arch, packages: identities, files: [filesBefore, files], disk: [disk, ext4Features], boot, method };
  return {
    name: 'bootstrap',
    kind: 'bootstrap',
    key: keyOf({ format: KEY_FORMAT, source: 'bootstrap', ...parts }),
    inputs: inputsOf(parts),
    packages: installed(identities),
    removed: [],
    virtualSize: disk.size,
    recipe: { kind: 'bootstrap', ...recipe },
  };
}

interface Common {
  /** The key of the layer below, or the digest of the image that the template starts from. */
  readonly below: Key | Digest;
  readonly virtualSize: number;
  readonly release: Release;
  readonly family: Family;
  /** How layers whose packages the image's own package manager fetches are registered meanwhile. */
  readonly registration?: Registration;
  readonly about: { readonly release: string; readonly arch: string };
  /** What a machine of the image is started by. */
  readonly firmware: 'bios' | 'uefi';
}

function changeLayer(section: Exclude<Section, { kind: 'step' }>, menu: BootMenu, { resolutions, indexes }: Upstream, i: number, common: Common): LayerPlan {
  const { changes, kind, name } = section;
  const resolution = resolutions[i];
  const usesNetwork = changes.commands.some(({ network }) => network === true);
  const packages = resolution?.packages.toSorted((a, b) => (a.name < b.name ? -1 : 1)) ?? [];
  const removed = resolution?.removed.toSorted() ?? [];
  const { family, registration } = common;
  const online = insidePackages(section, family);
  const recipe: ChangeRecipe = {
    kind,
    ...(section.grow === true ? { grow: true } : {}),
    ...(online.length === 0 ? {} : { quiet: family.quiet, online, ...(registration === undefined ? {} : { registration }) }),
    ...lastCommands(family, online.length > 0 || changes.kernelArguments.length > 0 ? family.boot(changes.kernelArguments) : []),
    ...(resolution === undefined ? {} : { install: installationOf(common.release, packages, removed, changes.filesBefore) }),
    ...(changes.downloads === undefined ? {} : { downloads: changes.downloads }),
    files: changes.files,
    commands: changes.commands,
    menu,
    newMenu: changes.kernelArguments.length > 0 && family.planned !== undefined,
    ...(section.loader === undefined ? {} : { loader: section.loader }),
    seal: family.seal.layer,
  };
  const identities = identitiesOf(packages);
  // Of a registration nothing stays, so only what it lets one have is in the key.
  const { install, downloads, files, commands, registration: registers, ...method } = recipe;
  const parts = {
    ...common.about,
    ...section.about,
    below: common.below,
    packages: [identities, removed],
    // Where something is fetched is not what it is.
    ...(downloads === undefined ? {} : { downloads: downloads.map(({ url: _url, ...what }) => what) }),
    ...(registers === undefined ? {} : { subscription: registers.about }),
    files,
    commands,
    // What a command with network sees is as new as the repositories.
    ...(usesNetwork ? { network: indexes } : {}),
    method: { ...method, install: install === undefined ? undefined : { ...install, packages: undefined } },
  };
  const made = layer(name, recipe, parts, common, { packages: installed(identities), removed });
  return online.length > 0 || usesNetwork ? { ...made, maxAge: INSIDE_MAX_AGE } : made;
}

function installationOf(
  release: Release,
  packages: readonly ResolvedPackage[],
  removed: readonly string[],
  before: Changes['filesBefore'] = [],
): NonNullable<ChangeRecipe['install']> {
  const installation = plannedPackages(release).installation(release, packages, removed);
  return before.length === 0 ? installation : { ...installation, filesBefore: [...installation.filesBefore, ...before] };
}

/** Seconds that a layer stays cached whose packages the image's own package manager chose, or which had the network: as long as such a step. */
const INSIDE_MAX_AGE = 604_800;

function stepLayer({ name, step }: Extract<Section, { kind: 'step' }>, menu: BootMenu, indexes: Readonly<Record<string, string>>, common: Common): LayerPlan {
  if (step.kind === 'copy') {
    const { tree, to, owner } = step;
    const seal = common.family.seal.layer;
    const last = lastCommands(common.family, []);
    const recipe: LayerRecipe = { kind: 'copy', tree, to, owner, seal, ...last };
    return layer(name, recipe, { ...common.about, below: common.below, content: tree.entries, single: tree.single, to, owner, seal, ...last }, common);
  }
  const seal = step.booted ? common.family.seal.booted : common.family.seal.layer;
  const machine = step.booted ? { machine: { arch: common.about.arch, firmware: common.firmware } } : {};
  const { family } = common;
  // Where packages are chosen before the build, nobody's package manager runs but in a playbook, which sees to it itself.
  const around = { ...(family.planned === undefined ? { quiet: family.quiet } : {}), ...lastCommands(family, family.boot([])) };
  const recipe: LayerRecipe = { kind: step.kind, step, family: family.name, menu, seal, ...machine, ...around };
  // What it is called, and how long it may take, does not change what it makes.
  const { env, secrets, network, maxAge, label: _label, timeout: _timeout, ...what } = step;
  const parts = {
    ...common.about,
    below: common.below,
    step: 'tree' in what ? { ...what, tree: what.tree.entries } : what,
    env,
    secrets,
    // What a step with network sees is as new as the repositories, and no older than its maximum age.
    network: network ? { indexes, maxAge } : false,
    method: { menu, seal, ...around },
  };
  return { ...layer(name, recipe, parts, common), ...(network ? { maxAge } : {}) };
}

function layer(
  name: string,
  recipe: LayerRecipe,
  parts: Readonly<Record<string, unknown>>,
  { virtualSize }: Common,
  changed: { packages: readonly InstalledPackage[]; removed: readonly string[] } = { packages: [], removed: [] },
): LayerPlan {
  return { name, kind: recipe.kind, key: keyOf({ format: KEY_FORMAT, kind: recipe.kind, ...parts }), inputs: inputsOf(parts), ...changed, virtualSize, recipe };
}

/** Where a package was found is not what it is: a mirror's layout must not change a key. */
function identitiesOf(packages: readonly ResolvedPackage[]): Pick<ResolvedPackage, 'name' | 'version' | 'arch' | 'sha256'>[] {
  return packages.map(({ name, version, arch, sha256 }) => ({ name, version, arch, sha256 }));
}

function installed(packages: readonly InstalledPackage[]): InstalledPackage[] {
  return packages.map(({ name, version, arch }) => ({ name, version, arch }));
}

/** Parts of a key by name; what is no text is told by its hash. */
function inputsOf(parts: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, typeof value === 'string' ? value : hashValue(value)]));
}

/** The config of the image that a plan makes, given its layers' digests: no time, result or path in it. */
export function imageConfig(plan: Plan, digests: readonly Digest[]): ImageConfig {
  const { template, release, base } = plan;
  const guest = guestSettings(template, base?.guest);
  return {
    architecture: template.arch,
    os: 'linux',
    'os.version': release.version,
    rootfs: { type: 'layers', diff_ids: [...digests] },
    ...(Object.keys(template.labels).length === 0 ? {} : { config: { Labels: { ...template.labels } } }),
    'dev.ingot.image': {
      v: 1,
      template: template.name,
      release: release.id,
      family: release.family,
      kernel: template.kernel,
      disk: { ...template.disk, ...(base?.grows === undefined ? {} : { grows: base.grows }) },
      defaultUser: release.defaultUser,
      ...(guest === undefined ? {} : { guest }),
      ...(base === undefined ? {} : { from: { reference: base.reference, digest: base.digest } }),
      kernelArguments: [...plan.kernelArguments],
      repositories: [
        ...(base?.repositories ?? archiveRepositories(archiveOf(release))),
        ...template.system.repositories.flatMap(({ uri, suites }) => suites.map((suite) => `${uri} ${suite}`)),
      ],
      expiredMetadata: plan.expiredMetadata,
      layers: [...(base?.layers ?? []), ...plan.layers].map(({ name, kind, key, packages, removed }) => ({
        name,
        kind,
        key,
        packages: [...packages],
        ...(removed.length === 0 ? {} : { removed: [...removed] }),
      })),
    },
  };
}

function archiveRepositories({ mirrors, suites, securitySuite }: ReleaseArchive): string[] {
  return [...suites.map((suite) => `${mirrors.archive} ${suite}`), ...(securitySuite === undefined ? [] : [`${mirrors.security} ${securitySuite}`])];
}

/** All packages of an image as its layers leave them: name -> package. */
export function installedPackages(layers: readonly Pick<LayerPlan, 'packages' | 'removed'>[]): Map<string, InstalledPackage> {
  const all = new Map<string, InstalledPackage>();
  for (const { packages, removed } of layers) {
    for (const name of removed) all.delete(name);
    for (const item of packages) all.set(item.name, item);
  }
  return all;
}
