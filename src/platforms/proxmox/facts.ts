import * as z from 'zod';
import type { Place } from '../platform.ts';

/** What is remembered of a place on Proxmox VE. What may exist there stands here before it is made. */
export const placeFactsSchema = z.object({
  node: z.string(),
  uploadStorage: z.string(),
  /** For the whole cluster, so that two nodes do not write it at the same time. */
  uploadShared: z.boolean(),
  lacksContent: z.boolean(),
  diskStorage: z.string(),
  diskShared: z.boolean(),
  diskFormat: z.literal('qcow2').optional(),
  linked: z.boolean(),
  /** The publication, as it stands in the notes. */
  publication: z.string(),
  /** Of the VM. */
  name: z.string(),
  filename: z.string(),
  tags: z.array(z.string()),
  pool: z.string().optional(),
  ids: z.tuple([z.int(), z.int()]).optional(),
  upload: z.object({ volume: z.string(), size: z.int(), sha256: z.string(), done: z.boolean() }).optional(),
  machine: z.object({ vmid: z.int(), done: z.boolean(), sealed: z.boolean() }).optional(),
  trial: z.object({ vmid: z.int() }).optional(),
});
export type PlaceFacts = z.output<typeof placeFactsSchema>;

export function factsOf(place: Pick<Place, 'facts'>): PlaceFacts {
  return placeFactsSchema.parse(place.facts);
}

/** What excludes each other: work on the same storage of the same node, or of the cluster where it is shared. */
export function storageKey(node: string, storage: string, shared: boolean): string {
  return shared ? `storage ${storage}` : `storage ${node}/${storage}`;
}
