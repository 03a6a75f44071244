import type { PublishPlan } from '../platforms/platform.ts';
import type { ChildImage } from './image.ts';
import type { PublishRequest } from './publish.ts';

/** What a publication would do; nothing is changed, here or there. */
export async function planPublication(request: PublishRequest): Promise<PublishPlan> {
  const { image, size, places, machine, findChild } = request;
  const plan = await request.platform.publisher.plan(image, size, places, machine);
  const told = await Promise.all(
    plan.places.map(async (place) => {
      const child = await findChild?.(place.disk.guest, { build: false });
      if (child === undefined) return place;
      const what = child.digest === undefined ? `${child.name}, a child of this image, which is built first` : `${childText(child)}, a child of this image`;
      return { ...place, why: [...place.why, `${place.id}: what goes there is ${what}`] };
    }),
  );
  return { ...plan, places: told };
}

/** How a child is called in the journal: by its own digest. */
export function childText({ name, digest }: ChildImage): string {
  return digest === undefined ? name : `${name}@${digest}`;
}

/** What is shown of a publication: with its label, where there are several at the same time. */
export function labelled({ label }: Pick<PublishRequest, 'label'>, text: string): string {
  return label === undefined ? text : `${label}: ${text}`;
}
