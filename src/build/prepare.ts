import { IngotError } from '../base/errors.ts';
import { Memo } from '../base/memo.ts';
import type { HostPath } from '../base/types.ts';
import { findRelease, loadCatalog } from '../catalog/catalog.ts';
import { hasEnded } from '../catalog/release-facts.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { planImage, type BaseImage, type Plan, type Upstream } from '../plan/plan.ts';
import { sectionsOf, type Section } from '../plan/sections.ts';
import { chooseMirrors, mirrorsOfSettings, type Archives, type Mirrors } from '../sources/bootstrap/mirrors.ts';
import { repositoryMirrors } from '../sources/bootstrap/upstream.ts';
import { childOverrides } from '../template/child.ts';
import { findTemplate } from '../template/find.ts';
import { loadTemplate } from '../template/load.ts';
import { Reading } from '../template/reading.ts';
import { resolveTemplate } from '../template/resolve.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { openBaseImage } from './base-image.ts';
import type { ResolvedImage } from './cloud-image.ts';
import { LOCK_HINT, upstreamOf, type Lock } from './lock-file.ts';
import { PackageResolver } from './package-resolver.ts';

/** What the user asked for, as the operations' flags or a fleet file give it. */
export interface Request {
  /** A release, a template of the user's folder, or a template's file. */
  readonly template: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly roles: readonly string[];
  readonly packages: readonly string[];
  readonly from?: string | undefined;
  readonly arch?: 'amd64' | 'arm64' | undefined;
  readonly kernel?: 'cloud' | 'generic' | undefined;
  readonly size?: string | undefined;
  readonly filesystem?: 'ext4' | 'xfs' | 'btrfs' | undefined;
  readonly name?: string | undefined;
}

/** What holds for all requests of one command. */
export interface PrepareOptions {
  readonly mirror?: string | undefined;
  readonly securityMirror?: string | undefined;
  readonly offline: boolean;
  readonly allowExpiredMetadata: boolean;
  /** Install what a template's installer has not installed yet, which takes long; else `not-installed` is thrown. */
  readonly install?: boolean;
  /** Build exactly what is locked, and ask no repository. */
  readonly lock?: Lock;
}

export interface Prepared {
  readonly plan: Plan;
  readonly archives: Archives;
  /** The template's file; undefined where the request named a release. */
  readonly file: HostPath | undefined;
  /** Versions of everything that was resolved: what a lock file pins. */
  readonly sections: readonly Section[];
  readonly upstream: Upstream;
  /** The cloud image that it starts from. */
  readonly image?: ResolvedImage;
}

/** Resolves a request against the catalog and the repositories, and plans it. Changes nothing but caches of metadata. */
export async function prepare(context: Context, request: Request, options: PrepareOptions): Promise<Prepared> {
  return await new Preparation(context, options).prepare(request);
}

/** Prepares many requests; what they share (templates' parts, repositories, base packages) is read and resolved once. */
export async function prepareAll(context: Context, requests: readonly Request[], options: PrepareOptions): Promise<Prepared[]> {
  const preparation = new Preparation(context, options);
  return await Promise.all(requests.map((request) => preparation.prepare(request)));
}

/** What the lock says of a template. Throws `lock-missing`, `lock-stale`. */
function frozen(lock: Lock, template: ResolvedTemplate, sections: readonly Section[], base: BaseImage | undefined, image: ResolvedImage | undefined): Upstream {
  const locked = lock.images[template.name];
  if (locked === undefined) {
    throw new IngotError('not-found', 'lock-missing', `The lock file knows nothing of ${template.name}`, { hint: LOCK_HINT });
  }
  return upstreamOf(locked, template, sections, base, image);
}

class Preparation {
  readonly #context: Context;
  readonly #options: PrepareOptions;
  readonly #resolver: PackageResolver;
  readonly #mirrors = new Memo<Mirrors>();
  readonly #warned = new Set<string>();
  readonly #reading: Reading;

  constructor(context: Context, options: PrepareOptions) {
    this.#context = context;
    this.#options = options;
    this.#resolver = new PackageResolver(context, options);
    this.#reading = new Reading(context);
  }

  async prepare(request: Request): Promise<Prepared> {
    const context = this.#context;
    const catalog = await loadCatalog(context);
    const found = await findTemplate(context, request.template);
    const reading = this.#reading;
    const loaded = found.kind === 'file' ? await loadTemplate(context, found.path, { variables: request.variables, reading }) : undefined;
    const { variables, template: name, from, ...overrides } = request;
    const [variable] = Object.keys(variables);
    if (loaded === undefined && variable !== undefined) {
      throw new IngotError(
        'usage',
        'variable-unknown',
        `--var sets ${variable}, but ${name} is ${found.kind === 'release' ? 'a release' : 'the child of an image'}, which has no variables`,
        {
          hint: 'Variables are declared in a template file.',
        },
      );
    }
    const { offline } = this.#options;
    const asked = found.kind === 'child' ? await childOverrides(context, found, overrides) : { ...overrides, from: found.kind === 'release' ? name : from };
    const resolve = (start: string | undefined): Promise<ResolvedTemplate> =>
      resolveTemplate(context, loaded, { ...asked, from: start }, { catalog, reading, offline });
    let template = await resolve(asked.from);
    if (template.base.kind === 'file' || template.base.kind === 'url') {
      const { storedDisk } = await import('./foreign-disk.ts');
      template = await resolve(await storedDisk(context, template.base, { offline }));
    }
    let image: ResolvedImage | undefined;
    if (template.base.kind === 'cloud-image') {
      const { storedCloudImage } = await import('./cloud-image.ts');
      const from = findRelease(catalog, template.base.release);
      const locked = this.#options.lock?.images[template.name]?.image;
      const stored = await storedCloudImage(context, template.base, from, template.arch, { offline, locked });
      image = stored.resolved;
      template = await resolve(stored.reference);
    }
    if (template.base.kind === 'installer') {
      const { storedInstallation } = await import('./installer.ts');
      const from = findRelease(catalog, template.base.release);
      const locked = this.#options.lock?.images[template.name]?.image;
      const { install = false, mirror = this.#context.settings.mirror } = this.#options;
      const stored = await storedInstallation(context, template, template.base, from, { offline, install, locked, mirror });
      image = stored.resolved;
      template = await resolve(stored.reference);
    }
    const base =
      template.base.kind === 'image' ? await openBaseImage(context, template.base, this.#options.lock?.images[template.name]?.from?.digest) : undefined;
    const release = findRelease(catalog, template.base.kind === 'release' ? template.base.release : (base?.release ?? ''));
    this.#warnOfEndOfLife(release);
    const { arch } = template;
    const mirrors = release.archive === undefined ? undefined : await this.#mirrors.get(`${release.id} ${arch}`, () => this.#chooseMirrors(release, arch));
    const sections = sectionsOf(template, release, base);
    const upstream =
      this.#options.lock === undefined
        ? await this.#resolver.resolve(template, release, mirrors, sections, base)
        : frozen(this.#options.lock, template, sections, base, image);
    return {
      plan: planImage(template, release, base, sections, upstream),
      archives: { ...mirrors, ...repositoryMirrors(template.system.repositories) },
      file: found.kind === 'file' ? found.path : undefined,
      sections,
      upstream,
      ...(image === undefined ? {} : { image }),
    };
  }

  #chooseMirrors(release: Release, arch: string): Promise<Mirrors> {
    const { mirror, securityMirror } = this.#options;
    const { host, settings } = this.#context;
    const own = mirrorsOfSettings(settings, release, arch);
    return chooseMirrors(host, release, arch, { archive: mirror ?? own.archive, security: securityMirror ?? own.security });
  }

  #warnOfEndOfLife(release: Release): void {
    if (!hasEnded(release, this.#context.host.clock.now()) || this.#warned.has(release.id)) return;
    this.#warned.add(release.id);
    this.#context.events.message('warn', `${release.id} has had no security updates since ${release.eol ?? ''}.`);
  }
}
