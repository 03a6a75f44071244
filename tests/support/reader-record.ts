import { spawnSync } from 'node:child_process';
import type { FormatName } from '../../src/disk/formats/table.ts';
import { saveReaders, type Reader } from '../../tools/format-results.ts';

/**
 * Notes which program read which format, for docs/reference/formats.md. A test calls `read` at its end, after all that it expects; the file's `afterAll` calls `save`,
 * which writes only where INGOT_RECORD_READERS is set: a run on a host with fewer programs is no news.
 */
export class ReaderRecord {
  readonly #read: Partial<Record<FormatName, Partial<Record<Reader, string>>>> = {};

  read(format: FormatName, ...programs: readonly Reader[]): void {
    for (const program of programs) this.#read[format] = { ...this.#read[format], [program]: versionOf(program) };
  }

  save(): void {
    if ((process.env['INGOT_RECORD_READERS'] ?? '') !== '') saveReaders(this.#read);
  }
}

/** The version that a program says of itself: a number with dots, else one after that word. */
function versionOf(program: Reader): string {
  for (const flag of ['--version', '-version']) {
    const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' });
    const said = `${stdout}${stderr}`;
    const version = /\d+\.\d+(?:\.\d+)*/.exec(said)?.[0] ?? /version (\d+)/.exec(said)?.[1];
    if (version !== undefined) return version;
  }
  return 'read';
}
