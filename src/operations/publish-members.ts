import { requireTools } from '../doctor/install.ts';
import { targetReference, type DiskWish, type Platform } from '../platforms/platform.ts';
import type { FleetMember } from '../publish/fleet.ts';
import { dropExports, exportDisk, publishedImage } from '../publish/image.ts';
import type { PublishRequest } from '../publish/publish.ts';
import type { Target } from '../publish/targets.ts';
import type { Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import type { Context } from './operation.ts';
import { childrenOf } from './platform-child.ts';

/** What all images of a command that go to one target have in common. */
export type CommonRequest = Pick<PublishRequest, 'places' | 'machine' | 'ssh' | 'promote' | 'keep' | 'label'> & { readonly unproven: boolean };

interface Opened {
  readonly target: Target;
  readonly platform: Platform;
}

/** Every image on every target that is opened, with what is wished of that. */
export function membersOf(context: Context, images: readonly string[], opened: readonly Opened[], commonOf: (target: Target) => CommonRequest): FleetMember[] {
  const users = new Map<string, number>();
  // Asked for once, by the first that makes a file.
  let tools: Promise<unknown> | undefined;
  const needTools = async (): Promise<void> => void (await (tools ??= requireTools(context, ['qemu-img'])));
  const labelOf = (image: string, target: Target): { readonly label?: string } => {
    if (opened.length > 1) return { label: `${image} on ${targetReference(target)}` };
    return images.length > 1 ? { label: image } : {};
  };
  return opened.flatMap((one) => {
    const common = commonOf(one.target);
    return images.map((image) => memberOf(context, image, one, { ...common, ...labelOf(image, one.target) }, { users, needTools }));
  });
}

interface Shared {
  /** How many are at work on each image, by its digest; the flat files that they share go with the last of them. */
  readonly users: Map<string, number>;
  readonly needTools: () => Promise<void>;
}

function memberOf(context: Context, image: string, opened: Opened, common: CommonRequest, { users, needTools }: Shared): FleetMember {
  const { unproven, ...wishes } = common;
  const target = targetReference(opened.target);
  const used: Image[] = [];
  const use = (one: Image): void => {
    used.push(one);
    users.set(one.digest, (users.get(one.digest) ?? 0) + 1);
  };
  return {
    image,
    target,
    async prepare(): Promise<PublishRequest> {
      const store = openStore(context.host, context.home);
      const stored = await store.resolve(image);
      use(stored);
      const published = publishedImage(stored, image, target, { unproven });
      return {
        ...wishes,
        platform: opened.platform,
        target,
        image: published,
        size: { virtual: published.details.disk.size, file: stored.layers.reduce((sum, { size }) => sum + size, 0) },
        findChild: childrenOf(context, `${published.name}@${stored.digest}`),
        exportDisk: async (wish: DiskWish, child) => {
          await needTools();
          if (child?.digest === undefined) return await exportDisk(context, stored, wish);
          const own = await store.resolve(child.digest);
          use(own);
          return await exportDisk(context, own, wish);
        },
      };
    },
    async ended(isThere) {
      for (const one of used.splice(0)) {
        const others = (users.get(one.digest) ?? 1) - 1;
        users.set(one.digest, others);
        // What failed needs them again.
        if (isThere && others === 0) await dropExports(context, one);
      }
    },
  };
}
