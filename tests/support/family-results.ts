import { writeFileSync } from 'node:fs';
import type { FamilyName } from '../../src/catalog/families.ts';
import { codeOf, readResults, resultsFile, type FamilyOperation, type FamilyResults } from '../../tools/family-results.ts';

/**
 * Notes what a family's system test ran for real, for docs/reference/families.md. A test calls `ran` at its end, after all that it expects, and the file's
 * `afterAll` calls `save`. What an older code did is forgotten.
 */
export class FamilyRecord {
  readonly #family: FamilyName;
  readonly #ran = new Map<FamilyOperation, string>();

  constructor(family: FamilyName) {
    this.#family = family;
  }

  /** `program`: what ran it, with its version: `dnf 4.14.0`. */
  ran(operation: FamilyOperation, program: string): void {
    this.#ran.set(operation, program);
  }

  save(): void {
    const code = codeOf(this.#family);
    const before = readResults(this.#family);
    const ran = { ...(before?.code === code ? before.ran : {}), ...Object.fromEntries(this.#ran) };
    if (this.#ran.size === 0) return;
    const results: FamilyResults = { code, ran: Object.fromEntries(Object.entries(ran).toSorted(([a], [b]) => (a < b ? -1 : 1))) };
    writeFileSync(resultsFile(this.#family), `${JSON.stringify(results, undefined, 2)}\n`);
  }
}
