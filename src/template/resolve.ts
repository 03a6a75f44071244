import { basename, dirname } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { openSecrets, type Secrets } from '../base/secrets.ts';
import { hostPath, parseName, type Name } from '../base/types.ts';
import { loadCatalog } from '../catalog/catalog.ts';
import type { CatalogData } from '../catalog/schema.ts';
import type { Filesystem } from '../disk/layout.ts';
import type { Context } from '../operations/operation.ts';
import { chooseFormat } from '../disk/formats/table.ts';
import type { LoadedTemplate } from './load.ts';
import { Reading } from './reading.ts';
import { checkArchitecture, diskOptions, findBase, resolveFrom, type FoundBase } from './resolve-base.ts';
import { checkNetwork } from './resolve-network.ts';
import { resolvePackages } from './resolve-packages.ts';
import { resolveRoles } from './resolve-roles.ts';
import { requireSubscription, resolveSubscription } from './resolve-subscription.ts';
import { checkSupport } from './resolve-support.ts';
import { resolveSteps } from './resolve-steps.ts';
import { resolveSystem, resolveUsers } from './resolve-system.ts';
import { templateSchema } from './schema.ts';
import { Scope, type Path } from './scope.ts';
import { refuseSecrets } from './secret-search.ts';
import { parseSource } from './source.ts';
import type { PackageRepository, ResolvedRole, ResolvedTemplate } from './template.ts';

/** What flags, or a fleet, say instead of the template or besides it. */
export interface Overrides {
  readonly name?: string | undefined;
  readonly arch?: string | undefined;
  readonly kernel?: 'cloud' | 'generic' | undefined;
  readonly size?: string | undefined;
  readonly filesystem?: Filesystem | undefined;
  /** A release of the catalog, else an image of the store. */
  readonly from?: string | undefined;
  /** Besides those of the template. */
  readonly roles: readonly string[];
  readonly packages: readonly string[];
}

export interface ResolveOptions {
  /** Default: those of the home. Pass one for many templates, so that they are opened once. */
  readonly secrets?: Secrets;
  /** Default: the catalog. Pass it for many templates. */
  readonly catalog?: CatalogData;
  /** Shared by all templates of a command, so that a fleet reads each file once. */
  readonly reading?: Reading;
  /** Use what addresses said when they were last asked. */
  readonly offline?: boolean;
}

/**
 * Turns a template, or without one what the flags say, into the value that planning starts from: everything named is found, everything
 * brought in is read and hashed, every default filled in. Throws `template-invalid` with all that is wrong, each at its line and column,
 * `secret-in-template`, and where flags are wrong their own errors.
 */
export async function resolveTemplate(
  context: Context,
  loaded: LoadedTemplate | undefined,
  overrides: Overrides,
  options: ResolveOptions = {},
): Promise<ResolvedTemplate> {
  const catalog = options.catalog ?? (await loadCatalog(context));
  const reading = options.reading ?? new Reading(context);
  const secrets = options.secrets ?? reading.secrets(() => openSecrets(context));
  const scope = new Scope(context, loaded ?? nothingLoaded(), { catalog, secrets, reading, offline: options.offline ?? false, direct: loaded === undefined });
  const { template } = scope.loaded;
  const found = overrides.from === undefined ? await resolveFrom(scope) : await findBase(context, catalog, overrides.from);
  const arch = await architecture(scope, found, overrides);
  const reads = [
    resolveRoles(scope, overrides.roles, found, arch),
    resolvePackages(scope, overrides.packages, found, arch),
    resolveUsers(scope),
    resolveSystem(scope),
    resolveSteps(scope),
    resolveSubscription(scope, found),
  ] as const;
  // What is wrong in the template is told before an address that did not answer: it can be mended without waiting for anybody.
  const settled = await Promise.allSettled(reads);
  if (settled.some(({ status }) => status === 'rejected')) scope.finish();
  const [roles, packages, users, system, steps, subscription] = await Promise.all(reads);
  const kernel = overrides.kernel ?? template.kernel ?? kernelOf(found);
  const disk =
    found === undefined
      ? undefined
      : await scope.attempt(['disk'], () => diskOptions(template.disk, overrides, found, (path, message) => scope.problem(path, message)));
  const outputs: ResolvedTemplate['outputs'][number][] = [];
  for (const [i, { format, path, options }] of template.outputs.entries()) {
    const at = scope.pathAt(['outputs', i, 'path'], path);
    const place = at === undefined ? undefined : dirname(at);
    if (place !== undefined && (await context.host.files.status(place)) === undefined) scope.problem(['outputs', i, 'path'], `there is no folder ${place}`);
    if (template.outputs.findIndex((other) => other.path === path) !== i) scope.problem(['outputs', i, 'path'], 'is written twice');
    const chosen = await scope.attempt(['outputs', i], () => chooseFormat(path, format, options));
    if (at !== undefined && chosen !== undefined) outputs.push({ format: chosen, path: at });
  }
  const filesystem = disk?.filesystem ?? 'ext4';
  const name = await imageName(scope, loaded, overrides, oneLineName(context, found, { arch, kernel, filesystem, roles }));
  checkNetwork(scope);
  checkSupport(scope, found);
  await refuseSecrets(scope);
  scope.finish();
  requireSubscription(scope, found, { update: template.update !== 'none', packages: packages.packages.length > 0, roles: roles.length > 0 });
  if (found === undefined || disk === undefined || name === undefined) throw new IngotError('internal', 'internal', 'a template that is wrong was not refused');
  return {
    name,
    ...(template.version === undefined ? {} : { version: template.version }),
    labels: template.labels,
    base: found.base,
    ...(subscription === undefined ? {} : { subscription }),
    arch,
    kernel,
    disk,
    roles,
    update: template.update,
    packages: packages.packages,
    snaps: template.snaps.map((snap) => (typeof snap === 'string' ? { name: snap, classic: false } : snap)),
    users,
    system: {
      ...system,
      repositories: [...system.repositories, ...furtherRepositories([...roles.flatMap(({ content }) => content.repositories), ...packages.repositories])],
    },
    ...(template.network === undefined ? {} : { network: template.network }),
    steps,
    tests: [...roles.flatMap(({ name: role, content }) => content.tests.map((test) => ({ ...test, role }))), ...template.tests],
    outputs,
  };
}

/** Each once: roles and packages may ask for the same. */
function furtherRepositories(repositories: readonly PackageRepository[]): PackageRepository[] {
  return [...new Map(repositories.map((repository) => [repository.name, repository])).values()];
}

/** What stands for a template where there is none: everything comes from the flags. */
function nothingLoaded(): LoadedTemplate {
  const { source } = parseSource(hostPath('/'), '');
  const tree = { kind: 'map', place: { source, offset: 0 }, entries: new Map() } as const;
  return { file: source.file, root: source.file, template: templateSchema.parse({}, { jitless: true }), variables: {}, files: [], tree };
}

async function architecture(scope: Scope, found: FoundBase | undefined, overrides: Overrides): Promise<string> {
  const { template } = scope.loaded;
  const arch = overrides.arch ?? template.arch ?? found?.image?.architecture ?? scope.context.host.machine.arch;
  if (found === undefined) return arch;
  if (overrides.arch !== undefined) checkArchitecture(found, arch);
  else await scope.attempt(['arch'], () => checkArchitecture(found, arch));
  return arch;
}

function kernelOf(found: FoundBase | undefined): 'cloud' | 'generic' {
  return found?.image?.['dev.ingot.image'].kernel === 'generic' ? 'generic' : 'cloud';
}

async function imageName(scope: Scope, loaded: LoadedTemplate | undefined, overrides: Overrides, oneLine: string): Promise<Name | undefined> {
  if (overrides.name !== undefined) return parseName(overrides.name, 'an image');
  if (loaded === undefined) return parseName(oneLine, 'an image');
  const given = loaded.template.name;
  const path: Path = given === undefined ? [] : ['name'];
  const stem = basename(loaded.file).replace(/\.ya?ml$/, '');
  return await scope.attempt(path, () =>
    parseName(given ?? stem, `an image${given === undefined ? `, which is called like its file where the template gives no name` : ''}`),
  );
}

/** `debian-12-docker`: what it stands on, what differs from the defaults, and the roles. */
function oneLineName(
  { host }: Context,
  found: FoundBase | undefined,
  {
    arch,
    kernel,
    filesystem,
    roles,
  }: { readonly arch: string; readonly kernel: string; readonly filesystem: Filesystem; readonly roles: readonly ResolvedRole[] },
): string {
  const { base, image } = found ?? {};
  const below = image?.['dev.ingot.image'];
  const start = base !== undefined && 'release' in base ? base.release : base?.kind === 'image' ? base.reference.replace(/[:@].*$/, '') : 'image';
  const variant = [
    ...(arch === (image?.architecture ?? host.machine.arch) ? [] : [arch]),
    ...(kernel === (below?.kernel ?? 'cloud') ? [] : [kernel]),
    ...(filesystem === (below?.disk.filesystem ?? 'ext4') ? [] : [filesystem]),
  ];
  return [start, ...variant, ...roles.map(({ name }) => name)].join('-');
}
