import type { Family } from '../families/family.ts';
import type { Registration } from '../families/recipe.ts';
import type { GuestCommand } from '../sources/bootstrap/recipe.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import type { Section } from './sections.ts';

/** What the image's own package manager does for a section, where packages are not chosen before the build. */
export function insidePackages({ changes, update }: Exclude<Section, { kind: 'step' }>, family: Family): GuestCommand[] {
  if (family.planned !== undefined) return [];
  return [...(update === undefined ? [] : family.update(update)), ...family.install(changes.packages)];
}

/** What a layer ends with: boot files, labels, and what the seal wants done. */
export function lastCommands(family: Family, boot: readonly GuestCommand[]): { readonly last?: readonly GuestCommand[] } {
  const last = [...boot, ...family.labels(), ...family.seal.commands];
  return last.length === 0 ? {} : { last };
}

/** How layers whose packages the image's own package manager fetches are registered meanwhile. */
export function registrationOf({ subscription }: ResolvedTemplate, family: Family): { readonly registration?: Registration } {
  return subscription === undefined || family.registration === undefined ? {} : { registration: family.registration(subscription) };
}
