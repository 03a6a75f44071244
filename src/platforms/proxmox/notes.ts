import type { PublishedImage } from '../platform.ts';

/*
 * The notes of a VM say whose it is. A clone has the notes of what it was cloned from, so they also tell lineage where the disks do not (LVM-thin).
 */

const PUBLICATION = 'ingot-publication';
const TRIAL = 'ingot-trial';
const VM = 'ingot-vm';
const UNFINISHED = 'ingot-unfinished';

/** The notes of a template. */
export function templateNotes(image: PublishedImage, publication: string): string {
  const roles = [...new Set(image.details.layers.flatMap(({ kind, name }) => (kind === 'role' ? [name] : [])))];
  return [
    `**${image.reference}**, published by ingot`,
    '',
    `- release: ${image.details.release}`,
    ...(roles.length > 0 ? [`- roles: ${roles.join(', ')}`] : []),
    `- image: ${image.digest}`,
    `- id: ${image.id}`,
    `- gate: ${image.gate}`,
    '',
    `${PUBLICATION}: ${publication}`,
  ].join('\n');
}

/** The notes of the throw-away copy that a template is proven on. */
export function trialNotes(publication: string): string {
  return `A trial of ingot's, removed when it is over.\n\n${TRIAL}: ${publication}`;
}

/** The notes of a VM that people use; until it is whole, they say so too. */
export function vmNotes(name: string, template: { readonly reference: string; readonly publication: string }, state: 'unfinished' | 'whole'): string {
  return [
    `Made by ingot from **${template.reference}**`,
    '',
    `${VM}: ${name}`,
    ...(state === 'unfinished' ? [`${UNFINISHED}: ${name}`] : []),
    `${PUBLICATION}: ${template.publication}`,
  ].join('\n');
}

/** Whether notes say that ingot made the VM of that name, for somebody's use. */
export function isVmOf(notes: string | undefined, name: string): boolean {
  return marks(notes, VM).includes(name);
}

/** Whether it was being made when that was cut. */
export function isUnfinished(notes: string | undefined): boolean {
  return marks(notes, UNFINISHED).length > 0;
}

/** What a container was made from, which is no publication: the image, by its name. */
export function sourceOf(notes: string | undefined): string | undefined {
  return /^Made by ingot from \*\*(.+?)\*\*/.exec(notes ?? '')?.[1];
}

/** The publication that a VM was made from. */
export function publicationOf(notes: string | undefined): string | undefined {
  return marks(notes, PUBLICATION)[0];
}

/** Whether notes say that a VM is the template of a publication, or a copy of it. The server may hand them back with a line end. */
export function isOf(notes: string | undefined, publication: string): boolean {
  return marks(notes, PUBLICATION).includes(publication);
}

export function isTrialOf(notes: string | undefined, publication: string): boolean {
  return marks(notes, TRIAL).includes(publication);
}

function marks(notes: string | undefined, mark: string): string[] {
  return (notes ?? '').split('\n').flatMap((line) => (line.trim().startsWith(`${mark}: `) ? [line.trim().slice(mark.length + 2)] : []));
}
