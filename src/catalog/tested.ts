import * as z from 'zod';
import { hashValue } from '../base/hash.ts';

/* What is known of a role from having built and booted it: catalog/roles/<role>/tested.json, written by tests/system/full/roles.test.ts alone. */

const rowSchema = z.strictObject({
  release: z.string(),
  /** With which parameters: `default`, or the name of the case. */
  variant: z.string(),
  /** Packages of the same names, units and binaries stood for those that could not be had; that never counts as tested. */
  standIn: z.boolean(),
  built: z.boolean(),
  booted: z.boolean(),
  /** Tests of the role that held in the guest, and those that did not, by name. */
  passed: z.int().nonnegative(),
  failed: z.array(z.string()),
  /** Of the role's layer, as it is stored, compressed. */
  bytes: z.int().nonnegative(),
  /** That its layer took to make, packages downloaded. */
  seconds: z.number().nonnegative(),
  /** Hash of the role that this was said of. */
  role: z.string(),
});
export type TestedRow = z.output<typeof rowSchema>;

export const testedSchema = z.strictObject({ v: z.literal(1), rows: z.array(rowSchema) });

/** What a row says: `stale` where the role has changed since. */
export type Standing = 'tested' | 'stand-in' | 'failed' | 'stale';

/** The rows of a role's folder, each with its standing; none where it was never tested. */
export function testedRows(files: Readonly<Record<string, string>>): (TestedRow & { readonly standing: Standing })[] {
  const text = files['tested.json'];
  if (text === undefined) return [];
  const now = roleHash(files);
  return testedSchema.parse(JSON.parse(text)).rows.map((row) => ({ ...row, standing: standingOf(row, now) }));
}

function standingOf(row: TestedRow, now: string): Standing {
  if (row.role !== now) return 'stale';
  if (!row.built || !row.booted || row.failed.length > 0) return 'failed';
  return row.standIn ? 'stand-in' : 'tested';
}

/** What a role is: the hash of all its files but those for people. */
export function roleHash(files: Readonly<Record<string, string>>): string {
  return hashValue(Object.entries(files).filter(([path]) => path !== 'README.md' && path !== 'tested.json'));
}
