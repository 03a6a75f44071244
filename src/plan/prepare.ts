import { IngotError } from '../base/errors.ts';
import { parseName, parseSize } from '../base/types.ts';
import { findRelease, loadCatalog } from '../catalog/catalog.ts';
import type { Release } from '../catalog/schema.ts';
import type { Filesystem } from '../disk/layout.ts';
import { basePackages } from '../families/debian/packages.ts';
import type { Context } from '../operations/operation.ts';
import { chooseMirrors, type Mirrors } from '../sources/bootstrap/mirrors.ts';
import { refreshUpstream, resolvePackages } from '../sources/bootstrap/upstream.ts';
import { DEFAULT_DISK_SIZE, type ResolvedTemplate } from '../template/template.ts';
import { planImage, type Plan } from './plan.ts';

/** What the user asked for, as the operations' flags give it. */
export interface Request {
  readonly template: string;
  readonly arch?: string | undefined;
  readonly kernel: 'cloud' | 'generic';
  readonly size?: string | undefined;
  readonly filesystem: Filesystem;
  readonly name?: string | undefined;
  readonly mirror?: string | undefined;
  readonly securityMirror?: string | undefined;
  readonly offline: boolean;
  readonly allowExpiredMetadata: boolean;
}

export interface Prepared {
  readonly plan: Plan;
  readonly mirrors: Mirrors;
}

/** Resolves a request against the catalog and the repositories, and plans it. Changes nothing but caches of metadata. */
export async function prepare(context: Context, request: Request): Promise<Prepared> {
  const release = findRelease(await loadCatalog(), request.template);
  const template = resolveTemplate(context, release, request);
  warnOfEndOfLife(context, release);
  const mirrors = await chooseMirrors(context.host, release, {
    archive: request.mirror ?? context.settings.mirror,
    security: request.securityMirror ?? context.settings['security-mirror'],
  });
  const options = { release, arch: template.arch, mirrors, offline: request.offline, allowExpired: request.allowExpiredMetadata };
  const names = basePackages(release, { arch: template.arch, kernel: template.kernel, filesystem: template.disk.filesystem });
  const state = request.offline ? await refreshUpstream(context, options) : await context.events.stage('repositories', () => refreshUpstream(context, options));
  const packages = await resolvePackages(context, options, state, names);
  return { plan: planImage(template, release, { packages, expiredMetadata: state.expired }), mirrors };
}

function resolveTemplate(context: Context, release: Release, request: Request): ResolvedTemplate {
  const arch = request.arch ?? context.host.machine.arch;
  if (release.architectures[arch] === undefined) {
    throw new IngotError('usage', 'arch-unsupported', `${release.id} cannot be built for ${arch}`, {
      hint: `Supported: ${Object.keys(release.architectures).join(', ')}.`,
    });
  }
  const variant = [
    ...(arch === context.host.machine.arch ? [] : [arch]),
    ...(request.kernel === 'cloud' ? [] : [request.kernel]),
    ...(request.filesystem === 'ext4' ? [] : [request.filesystem]),
  ];
  return {
    name: parseName(request.name ?? [release.id, ...variant].join('-'), 'an image'),
    release: release.id,
    arch,
    kernel: request.kernel,
    disk: { size: request.size === undefined ? DEFAULT_DISK_SIZE : parseSize(request.size), filesystem: request.filesystem },
  };
}

function warnOfEndOfLife(context: Context, release: Release): void {
  if (release.eol !== undefined && release.eol < context.host.clock.now().toISOString().slice(0, 10)) {
    context.events.message('warn', `${release.id} has had no security updates since ${release.eol}.`);
  }
}
