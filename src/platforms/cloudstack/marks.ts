import type { PublishedImage } from '../platform.ts';
import type { CsTemplate } from './answers.ts';

/*
 * What says that a template is ours: tags, and before those are there the end of its text, which is given when it is registered. Nothing is changed or removed
 * that has neither.
 */

export const PUBLICATION_TAG = 'ingot-publication';
/** On the one that is used. */
export const CURRENT_TAG = 'ingot-current';

/** Longest value of a tag, and text of a template. */
const [TAG_LIMIT, TEXT_LIMIT] = [255, 4096];

/** What people read under the name: the reference, and whose it is. */
export function displayText(image: Pick<PublishedImage, 'reference' | 'publication' | 'details'>): string {
  const end = ` (${image.publication})`;
  return `${`${image.reference}: ${image.details.release}`.slice(0, TEXT_LIMIT - end.length)}${end}`;
}

/** The tags of a template, without the one that moves. */
export function templateTags(image: Pick<PublishedImage, 'name' | 'reference' | 'digest' | 'publication'>, hypervisor: string): Record<string, string> {
  const tags = {
    [PUBLICATION_TAG]: image.publication,
    'ingot-image': image.name,
    'ingot-version': image.reference,
    'ingot-digest': image.digest,
    'ingot-hypervisor': hypervisor,
  };
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, value.slice(0, TAG_LIMIT)]));
}

/** The tags of a template as the cloud has them. */
export function tagsOf({ tags }: Pick<CsTemplate, 'tags'>): Record<string, string> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value ?? '']));
}

/** Whether a template was made by a publication. */
export function isOf(
  template: Pick<CsTemplate, 'tags' | 'displaytext' | 'hypervisor'>,
  { publication, hypervisor }: { readonly publication: string; readonly hypervisor: string },
): boolean {
  if (template.hypervisor !== undefined && template.hypervisor !== hypervisor) return false;
  const tag = tagsOf(template)[PUBLICATION_TAG];
  return tag === undefined ? (template.displaytext ?? '').endsWith(` (${publication})`) : tag === publication;
}
