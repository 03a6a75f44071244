import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import { parseReference } from '../store/reference.ts';
import { openStore } from '../store/store.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import type { Overrides } from './resolve.ts';

/*
 * Children of images: what only VMware, Xen, CloudStack or its Kubernetes service needs is in no image, but in one that stands on it, `debian-12-vmware` on
 * `debian-12`. It has the role of its platform, and on another hypervisor than KVM the generic kernel, where the release tells two apart. Its config names the digest of its parent.
 */

/** Platforms that need a child, and the role which that has. */
export const CHILD_PLATFORMS = ['vmware', 'xen', 'cloudstack', 'cks'] as const;
export type ChildPlatform = (typeof CHILD_PLATFORMS)[number];
/** Those that take nothing but their child; CloudStack on KVM takes the image itself too. */
const HYPERVISORS = ['vmware', 'xen'] as const;
export type HypervisorPlatform = (typeof HYPERVISORS)[number];
/** Roles that the role of a platform stands on. */
const BELOW: Partial<Record<ChildPlatform, readonly string[]>> = { cks: ['cloudstack'] };

export interface Child {
  /** A reference to an image; in `ingot build`, also a release or template whose image is built first. */
  readonly parent: string;
  readonly platform: ChildPlatform;
}

/** What a text names as a child: `web-vmware`, `web:1.4-xen`; undefined where it names none. */
export function childNamed(text: string): Child | undefined {
  const platform = CHILD_PLATFORMS.find((name) => text.endsWith(`-${name}`) && text.length > name.length + 1);
  return platform === undefined ? undefined : { parent: text.slice(0, -(platform.length + 1)), platform };
}

/** The text by which {@link childNamed} knows a child. */
export function childText({ parent, platform }: Child): string {
  return `${parent}-${platform}`;
}

/**
 * The platform whose child a hypervisor takes, by the name that CloudStack has for it (`KVM`, `VMware`, `XenServer`), or by that of the platform; undefined
 * where it takes the image itself. Throws `hypervisor-unknown`.
 */
export function childPlatform(hypervisor: string): HypervisorPlatform | undefined {
  const known: Readonly<Record<string, HypervisorPlatform | 'none'>> = {
    ...{ kvm: 'none', simulator: 'none', vmware: 'vmware', xenserver: 'xen', 'xcp-ng': 'xen', xen: 'xen' },
  };
  const found = Object.entries(known).find(([name]) => name === hypervisor.toLowerCase())?.[1];
  if (found !== undefined) return found === 'none' ? undefined : found;
  throw new IngotError('usage', 'hypervisor-unknown', `ingot makes no image for the hypervisor "${hypervisor}"`, {
    hint: 'It makes them for KVM, VMware, XenServer and XCP-ng.',
  });
}

/**
 * What is asked of a build that makes a child: it starts from the very image that its parent is now. Throws `parent-missing` where the store has no such
 * image.
 */
export async function childOverrides(
  context: Pick<Context, 'host' | 'home' | 'settings'>,
  child: Child,
  asked: Overrides,
): Promise<Overrides & { readonly from: string }> {
  const { name: given } = parseReference(child.parent);
  const parent = await openStore(context.host, context.home)
    .resolve(child.parent)
    .catch((error: unknown) => {
      if (!(error instanceof IngotError) || error.code !== 'image-unknown') throw error;
      throw new IngotError('not-found', 'parent-missing', `${childText(child)} stands on the image ${child.parent}, which is not in the store`, {
        hint: `Build that first: \`ingot build ${child.parent}\`.`,
      });
    });
  const details = parent.config['dev.ingot.image'];
  const name = given ?? details.template;
  const twoKernels =
    HYPERVISORS.some((name) => name === child.platform) &&
    releases(await loadCatalog(context)).find(({ id }) => id === details.release)?.bootstrap !== undefined;
  return {
    ...asked,
    name: asked.name ?? `${name}-${child.platform}`,
    from: `${name}@${parent.digest}`,
    roles: [...(BELOW[child.platform] ?? []), child.platform, ...asked.roles],
    ...(twoKernels ? { kernel: asked.kernel ?? 'generic' } : {}),
  };
}
