import { hashValue } from '../base/hash.ts';
import { Memo } from '../base/memo.ts';
import { archiveOf } from '../catalog/catalog.ts';
import type { Release } from '../catalog/schema.ts';
import { familyFor, plannedPackages } from '../families/families.ts';
import type { Context } from '../operations/operation.ts';
import { installedPackages, type BaseImage, type Upstream } from '../plan/plan.ts';
import { wantedBy, type Section } from '../plan/sections.ts';
import { withoutPackages } from '../sources/bootstrap/installed-status.ts';
import type { Mirrors } from '../sources/bootstrap/mirrors.ts';
import {
  refreshUpstream,
  resolvePackages,
  resolveUpdates,
  statusOf,
  upstreamName,
  type Resolution,
  type UpstreamOptions,
  type UpstreamState,
} from '../sources/bootstrap/upstream.ts';
import type { InstalledPackage } from '../store/model.ts';
import type { ResolvedTemplate } from '../template/template.ts';

interface Changed {
  readonly packages: readonly InstalledPackage[];
  readonly removed: readonly string[];
}

/** Asks the repositories what packages mean, for any number of templates: what they share is asked once. */
export class PackageResolver {
  readonly #context: Context;
  readonly #options: { readonly offline: boolean; readonly allowExpiredMetadata: boolean };
  readonly #states = new Memo<UpstreamState>();
  readonly #resolutions = new Memo<Resolution>();

  constructor(context: Context, options: { readonly offline: boolean; readonly allowExpiredMetadata: boolean }) {
    this.#context = context;
    this.#options = options;
  }

  /** All packages of a template, layer by layer, each resolved on top of those below. Throws what reading the repositories and resolving throws. */
  async resolve(
    template: ResolvedTemplate,
    release: Release,
    mirrors: Mirrors | undefined,
    sections: readonly Section[],
    base: BaseImage | undefined,
  ): Promise<Upstream> {
    const planned = familyFor(release).planned !== undefined;
    if (!planned || (base !== undefined && !sections.some(asksRepositories))) {
      return { packages: [], resolutions: sections.map(() => undefined), indexes: {}, expiredMetadata: false };
    }
    const { offline, allowExpiredMetadata: allowExpired } = this.#options;
    const plain: UpstreamOptions = { release, arch: template.arch, mirrors: mirrors ?? archiveOf(release).mirrors, offline, allowExpired };
    const bottom = base === undefined ? await this.#base(template, plain) : { identity: `image ${base.digest}`, packages: [] };
    const { repositories } = template.system;
    const options = repositories.length === 0 ? plain : { ...plain, repositories };
    const state = await this.#state(options);
    let { identity } = bottom;
    const lower: Changed[] = base === undefined ? [{ packages: bottom.packages, removed: [] }] : [...base.layers];
    const resolutions: (Resolution | undefined)[] = [];
    for (const section of sections) {
      const wanted = wantedBy(section);
      const update = section.kind === 'step' ? undefined : section.update;
      // What was just resolved from these very repositories is up to date.
      const upToDate = update !== undefined && base === undefined && repositories.length === 0;
      if (wanted.length === 0 || upToDate) {
        resolutions.push(upToDate ? { packages: [], removed: [] } : undefined);
        continue;
      }
      const below = [...lower];
      const installed = { identity, status: () => this.#status(options, base, below) };
      identity = hashValue([identity, state.indexes, wanted]);
      const resolution = await this.#resolutions.get(identity, () =>
        update === undefined
          ? resolvePackages(this.#context, options, state, wanted, installed)
          : resolveUpdates(this.#context, options, state, update, installed),
      );
      resolutions.push(resolution);
      lower.push(resolution);
    }
    return { packages: bottom.packages, resolutions, indexes: state.indexes, expiredMetadata: state.expired };
  }

  async #base(template: ResolvedTemplate, options: UpstreamOptions): Promise<{ identity: string; packages: Resolution['packages'] }> {
    const names = plannedPackages(options.release).base(options.release, { ...template.disk, arch: template.arch, kernel: template.kernel });
    const state = await this.#state(options);
    const identity = hashValue([upstreamName(options), state.indexes, names]);
    const { packages } = await this.#resolutions.get(identity, () => resolvePackages(this.#context, options, state, names));
    return { identity, packages };
  }

  /** What is installed below, for apt: as the repositories describe it, or as an older image's own disk does. */
  async #status(options: UpstreamOptions, base: BaseImage | undefined, below: readonly Changed[]): Promise<string> {
    if (base === undefined) return await statusOf(this.#context, options, [...installedPackages(below).values()]);
    const { statusOfImage } = await import('./image-status.ts');
    const above = below.slice(base.layers.length);
    const added = [...installedPackages(above).values()];
    const old = withoutPackages(await statusOfImage(this.#context, base), [...added.map(({ name }) => name), ...above.flatMap(({ removed }) => removed)]);
    return added.length === 0 ? old : `${old}\n${await statusOf(this.#context, options, added)}`;
  }

  #state(options: UpstreamOptions): Promise<UpstreamState> {
    const context = this.#context;
    return this.#states.get(upstreamName(options), () =>
      options.offline ? refreshUpstream(context, options) : context.events.stage('repositories', () => refreshUpstream(context, options)),
    );
  }
}

function asksRepositories(section: Section): boolean {
  return section.kind === 'step' ? 'network' in section.step && section.step.network : wantedBy(section).length > 0;
}
