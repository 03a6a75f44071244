import * as z from 'zod';
import type { Place } from '../platform.ts';
import { visibilitySchema } from './target.ts';

const named = z.object({ id: z.string(), name: z.string() });

/** How the file comes to the zones of a publication. */
export const transferSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('serve'), address: z.string(), port: z.int().optional(), tls: z.string().optional() }),
  z.object({ kind: z.literal('upload') }),
  z.object({ kind: z.literal('url'), url: z.string(), sha256: z.string() }),
]);

/** What is remembered of a place on CloudStack: a zone, with one of its hypervisors. What may exist there stands here before it is made. */
export const placeFactsSchema = z.object({
  zone: named,
  hypervisor: z.string(),
  /** As the API calls it: `QCOW2`. */
  format: z.string(),
  /** Every zone that shares the template, this one among them. */
  group: z.array(named),
  /** The publication, as it stands in text and tags of the template. */
  publication: z.string(),
  /** Of the template. */
  name: z.string(),
  displaytext: z.string(),
  filename: z.string(),
  osType: z.object({ id: z.string(), description: z.string() }),
  details: z.record(z.string(), z.string()),
  /** Named to servers from 4.20 on. */
  arch: z.string().optional(),
  passwordEnabled: z.boolean(),
  /** Kubernetes clusters of CloudStack can be made of it; servers before 4.21 know no such thing. */
  cks: z.boolean().optional(),
  /** Who logs in to what is made from it; older publications do not say. */
  user: z.string().optional(),
  visibility: visibilitySchema,
  tags: z.record(z.string(), z.string()),
  transfer: transferSchema,
  /** GiB, of the disk as an instance sees it. */
  diskSize: z.number(),
  trialMachine: z.object({
    offering: named,
    networks: z.array(named).optional(),
    bootType: z.enum(['BIOS', 'UEFI']),
    bootMode: z.enum(['LEGACY', 'SECURE']),
  }),
  template: z.object({ id: z.string().optional() }).optional(),
  trial: z.object({ name: z.string() }).optional(),
});
export type PlaceFacts = z.output<typeof placeFactsSchema>;

export function factsOf(place: Pick<Place, 'facts'>): PlaceFacts {
  return placeFactsSchema.parse(place.facts);
}

/** What the zones that share a template have in common: those of one publication with the same hypervisor. */
export function groupKey({ publication, hypervisor }: Pick<PlaceFacts, 'publication' | 'hypervisor'>): string {
  return `${publication}/${hypervisor}`;
}
