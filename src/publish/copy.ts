import { IngotError } from '../base/errors.ts';
import type { PlaceWish, Platform, PlatformContext, PublishedImage } from '../platforms/platform.ts';
import { isValidated, placesMade, type Publication } from './journal.ts';
import { publish, type PublishResult } from './publish.ts';

export interface CopyWish {
  /** Zones that get it in addition. */
  readonly zones: readonly string[];
  /** All that are enabled. */
  readonly all: boolean;
  /** Log in to the trial VM. */
  readonly ssh: boolean;
  /** Prove it there as a publication is. */
  readonly validate: boolean;
}

/**
 * Copies a publication to more zones, from one that has it: nothing is sent from here. It is proven there; one that does not pass is gone from that zone, and
 * stays elsewhere as it was. Cut at any point, it is gone on with by the same call. `image` is what was published. Throws `copy-unsupported`,
 * `publication-unproven`, `publication-gone`, and what publishing throws.
 */
export async function copyPublication(
  context: PlatformContext,
  platform: Platform,
  publication: Publication,
  image: PublishedImage,
  wish: CopyWish,
): Promise<PublishResult> {
  const { id, target, machine } = publication;
  const places = likeOthers(platform, publication);
  return await publish(context, {
    platform,
    target,
    // As it was published: tags of the image may have moved since.
    image: { ...image, reference: publication.image.reference },
    places: { ...places, nodes: wish.zones, allNodes: wish.all, besides: true },
    machine,
    size: { virtual: image.details.disk.size, file: 0 },
    exportDisk: () =>
      Promise.reject(
        new IngotError('not-found', 'publication-gone', `No zone has ${id} any more from which it could be copied`, {
          hint: 'Publish the image again: it is made anew.',
        }),
      ),
    ssh: wish.ssh,
    validate: wish.validate,
    promote: false,
    keep: Number.MAX_SAFE_INTEGER,
  });
}

/** What the places that are there have in common, so that more are made like them. */
function likeOthers({ publisher }: Platform, publication: Publication): Pick<PlaceWish, 'hypervisor' | 'namePattern' | 'transfer'> {
  const { id, target, image, state } = publication;
  if (publisher.like === undefined) {
    throw new IngotError('usage', 'copy-unsupported', `${target} copies no templates from one place to another`, {
      hint: `Publish it there as well: \`ingot publish ${image.reference} --to ${target} --all-nodes\`.`,
    });
  }
  const all = isValidated(publication) ? placesMade(publication).map((place) => publisher.like?.(place) ?? {}) : [];
  const [first] = all;
  if (first === undefined) {
    throw new IngotError('conflict', 'publication-unproven', `${id} is only ${state}: nothing has proven it yet`, {
      hint: 'Run `ingot publish` again, which goes on with it.',
    });
  }
  const { hypervisor, ...others } = first;
  return all.every((one) => one.hypervisor === hypervisor) ? first : others;
}
