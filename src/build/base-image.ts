import { familyOf } from '../families/families.ts';
import type { Digest } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { BaseImage } from '../plan/plan.ts';
import type { Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import type { Base } from '../template/template.ts';

/**
 * The image that a template starts from; with a digest (of a lock), that very one, wherever the reference points by now. Throws `image-unknown`.
 */
export async function openBaseImage({ host, home }: Context, { reference }: Extract<Base, { kind: 'image' }>, locked?: Digest): Promise<BaseImage> {
  return baseImage(await openStore(host, home).resolve(locked ?? reference), reference);
}

/** What planning needs to know of an image. */
export function baseImage(image: Image, reference: string): BaseImage {
  const details = image.config['dev.ingot.image'];
  return {
    reference,
    digest: image.digest,
    release: details.release,
    arch: image.config.architecture,
    layers: details.layers.flatMap(({ name, kind = 'bootstrap', key, packages, removed = [] }, i) => {
      const blob = image.layers[i];
      return blob === undefined ? [] : [{ name, kind, key, digest: blob.digest, size: blob.size, packages, removed }];
    }),
    virtualSize: details.disk.size,
    kernel: details.kernel,
    kernelArguments: details.kernelArguments ?? familyOf(details.family).kernelArguments,
    repositories: details.repositories,
    ...(details.guest === undefined ? {} : { guest: details.guest }),
    expiredMetadata: details.expiredMetadata,
    ...(details.disk.grows === false ? { grows: false as const } : {}),
    isCloudImage: details.cloudImage !== undefined,
    ...(details.cloudImage?.tree === true ? { tree: details.cloudImage.digest } : {}),
    isInstalled: details.installed !== undefined,
  };
}
