import * as z from 'zod';
import { ARCHITECTURES } from './cloud-image-schema.ts';
import type { CatalogData } from './schema.ts';
import type { SourceName } from './release-facts.ts';
import { testedRows } from './tested.ts';

/* What is known of a release from having built and booted images of it: catalog/proven.json, written by tests/support/proven-record.ts alone. */

const rowSchema = z.strictObject({
  release: z.string(),
  arch: z.enum(ARCHITECTURES),
  source: z.enum(['packages', 'cloud-image']),
  /** What stood for the distribution's own image, where that could not be had; that proves the way, not the image. */
  standIn: z.string().optional(),
  built: z.boolean(),
  booted: z.boolean(),
  /** Which test says so: its file. */
  by: z.string(),
  /** The day on which it did; the tests of roles keep none. */
  on: z.iso.date().optional(),
});
export type ProvenRow = z.output<typeof rowSchema>;

export const provenSchema = z.strictObject({ v: z.literal(1), rows: z.array(rowSchema) });

/** What was built and booted, one row per release, architecture and source: by tests of the sources, and by those of roles, whose images stand on packages. */
export function provenRows({ proven, roles }: Pick<CatalogData, 'proven' | 'roles'>): ProvenRow[] {
  const rows = new Map(proven.map((row) => [keyOf(row), row]));
  for (const [role, files] of Object.entries(roles)) {
    for (const { release, built, booted } of testedRows(files)) {
      const row: ProvenRow = { release, arch: 'amd64', source: 'packages', built, booted, by: `catalog/roles/${role}/tested.json` };
      if (booted && !rows.has(keyOf(row))) rows.set(keyOf(row), row);
    }
  }
  return [...rows.values()];
}

/** The rows with one in the place of what was known of the same release, architecture, source and stand-in; sorted. */
export function withRow(rows: readonly ProvenRow[], row: ProvenRow): ProvenRow[] {
  const others = rows.filter((other) => keyOf(other) !== keyOf(row));
  return [...others, row].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf({ release, arch, source, standIn }: ProvenRow): string {
  return [release, arch, source, standIn ?? ''].join(' ');
}

/** What is known of one source of a release: it was built and booted here, its address was seen, or it follows from a pattern. */
export function standingOf(rows: readonly ProvenRow[], release: string, source: SourceName, inferred: boolean): 'proven' | 'seen' | 'inferred' {
  const proven = rows.some((row) => row.release === release && row.source === source && row.standIn === undefined && row.built && row.booted);
  return proven ? 'proven' : inferred ? 'inferred' : 'seen';
}
