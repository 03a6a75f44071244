/* The table of formats, which programs that are not ours have read each at the last recorded test, and the page of the reference that says both. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { FORMAT_NAMES, formatOf, type FormatName } from '../src/disk/formats/table.ts';

const FILE = join(import.meta.dirname, '..', 'src', 'disk', 'formats', 'readers.json');

/** Programs that read what ingot writes. */
export const READERS = ['qemu-img', 'tar', 'sha256sum', 'gzip', 'xz', 'zstd', 'xmllint', 'skopeo', 'unsquashfs', 'lxc-start', 'guestfish'] as const;
export type Reader = (typeof READERS)[number];

const resultsSchema = z.partialRecord(z.enum(FORMAT_NAMES), z.partialRecord(z.enum(READERS), z.string().describe('The version that read it')));
export type ReaderResults = z.output<typeof resultsSchema>;

/** What was recorded last. */
export function readReaders(): ReaderResults {
  return existsSync(FILE) ? resultsSchema.parse(JSON.parse(readFileSync(FILE, 'utf8'))) : {};
}

/** Replaces what was recorded of the readers that ran now. */
export function saveReaders(results: ReaderResults): void {
  const before = readReaders();
  const all = FORMAT_NAMES.flatMap((name): [FormatName, Record<string, string>][] => {
    const readers = { ...before[name], ...results[name] };
    return Object.keys(readers).length === 0 ? [] : [[name, Object.fromEntries(Object.entries(readers).toSorted(([a], [b]) => (a < b ? -1 : 1)))]];
  });
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`);
}

/** docs/reference/formats.md. */
export function formatsPage(note: string): string {
  const recorded = readReaders();
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
  const code = (text: string): string => `\`${text}\``;
  const options = FORMAT_NAMES.flatMap((name) =>
    Object.entries(formatOf(name).options).map(([key, { values, describe }]) => [code(name), `${code(key)}: ${values.map(code).join(', ')}`, describe]),
  );
  return `${[
    note,
    '# Formats',
    'What `ingot image export` writes; [the guide](../formats.md) says which is for what.',
    table(
      ['Format', 'Names that stand for it', 'For'],
      FORMAT_NAMES.map((name) => [
        code(name),
        formatOf(name)
          .extensions.map((extension) => code(`.${extension}`))
          .join(' ') || '`--format`',
        formatOf(name).use,
      ]),
    ),
    '## Options',
    'Given as `--option name=value`, in a template below `options`. The first value holds without it.',
    table(['Format', 'Option', 'What it does'], options),
    '## Read by others',
    'Which programs that are not part of ingot have read each format, with the same content, at the last recorded run of the tests, and their versions. A dash: not run.',
    table(
      ['Format', ...READERS],
      FORMAT_NAMES.map((name) => [code(name), ...READERS.map((reader) => recorded[name]?.[reader] ?? '—')]),
    ),
  ].join('\n\n')}\n`;
}
