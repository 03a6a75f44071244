import { IngotError } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import type { Request } from '../build/prepare.ts';
import type { FindChild } from '../publish/image.ts';
import type { Image } from '../store/model.ts';
import { parseReference } from '../store/reference.ts';
import { openStore } from '../store/store.ts';
import { childNamed, childPlatform, childText, type ChildPlatform } from '../template/child.ts';
import { findTemplate } from '../template/find.ts';
import type { CommonFlags } from './build-input.ts';
import type { Context } from './operation.ts';

/**
 * The image that a hypervisor takes of an image, as `name@digest`: itself for KVM; for VMware and XenServer its child, which is built, with its gate, where
 * none stands on this very image. `reference` is how the image is called, `hypervisor` is CloudStack's word for it (`KVM`, `VMware`, `XenServer`). Throws
 * `hypervisor-unknown`, `image-unknown`, and what building throws; without `build`, `child-not-built`.
 */
export async function imageForHypervisor(context: Context, reference: string, hypervisor: string, options: { readonly build: boolean }): Promise<string> {
  const platform = childPlatform(hypervisor);
  const image = await openStore(context.host, context.home).resolve(reference);
  const name = parseReference(reference).name ?? image.config['dev.ingot.image'].template;
  if (platform === undefined) return `${name}@${image.digest}`;
  const child = childText({ parent: `${name}@${image.digest}`, platform });
  const known = await childOf(context, image, name, platform);
  if (known !== undefined) return known;
  if (!options.build) {
    throw new IngotError('not-found', 'child-not-built', `${hypervisor} takes ${name}-${platform}, which is not built for ${reference}`, {
      hint: `Build it: \`ingot build ${childText({ parent: reference, platform })}\`.`,
    });
  }
  await using _lock = await takeLock(context.host, context.home, `image-${name}-${platform}`, { what: `building ${name}-${platform}`, signal: context.signal });
  const meanwhile = await childOf(context, image, name, platform);
  if (meanwhile !== undefined) return meanwhile;
  context.events.message('info', `${name}-${platform} is built: ${hypervisor} takes no other`);
  const { buildOne } = await import('./build-one.ts');
  await buildOne(context, { template: child });
  const made = await childOf(context, image, name, platform);
  if (made === undefined) throw new IngotError('internal', 'internal', `the child ${child} was built and is not there`);
  return made;
}

/** The hypervisor whose child each kind of guest is, as CloudStack calls it. */
const HYPERVISOR = { xen: 'XenServer', vmware: 'VMware' } as const;

/** Finds the children of an image for publishing; `reference` is `name@digest`. */
export function childrenOf(context: Context, reference: string): FindChild {
  return async (guest, options) => {
    if (guest === 'kvm') return undefined;
    const hypervisor = HYPERVISOR[guest];
    try {
      const [name = '', digest] = (await imageForHypervisor(context, reference, hypervisor, options)).split('@');
      return { name, digest };
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'child-not-built') throw error;
      return { name: `${reference.split('@')[0] ?? ''}-${childPlatform(hypervisor) ?? ''}`, digest: undefined };
    }
  };
}

/** A child that stands on this very image, and has not failed its gate; the one that was built last. */
async function childOf(context: Context, parent: Image, name: string, platform: ChildPlatform): Promise<string | undefined> {
  const store = openStore(context.host, context.home);
  const own = `${name}-${platform}`;
  const listed = (await store.list()).filter((one) => one.name === own && one.gate !== 'failed' && one.damaged === undefined && one.roles.includes(platform));
  const newest = listed.toSorted((a, b) => (a.created < b.created ? 1 : -1));
  for (const digest of new Set(newest.map((one) => one.digest))) {
    const { config } = await store.resolve(digest);
    if (config['dev.ingot.image'].from?.digest === parent.digest) return `${own}@${digest}`;
  }
  return undefined;
}

/** Builds the parents of children that are asked for, where a release or a template stands for one that is not in the store. */
export async function buildMissingParents(context: Context, requests: readonly Request[], flags: CommonFlags): Promise<void> {
  const wanted = new Set<string>();
  for (const { template } of requests) {
    if (childNamed(template) === undefined) continue;
    const found = await findTemplate(context, template);
    if (found.kind === 'child' && !(await isStored(context, found.parent))) wanted.add(found.parent);
  }
  for (const parent of wanted) {
    context.events.message('info', `${parent} is built first: what was asked for stands on it`);
    const { buildOne } = await import('./build-one.ts');
    await buildOne(context, { template: parent, flags: { ...flags, tag: undefined } });
  }
}

async function isStored({ host, home }: Context, reference: string): Promise<boolean> {
  try {
    await openStore(host, home).resolve(reference);
    return true;
  } catch (error) {
    if (error instanceof IngotError && error.code === 'image-unknown') return false;
    throw error;
  }
}
