/* docs/reference/distros.md: every release of the catalog and what is known of each of its sources, and the keys of a distribution's file. */
import * as z from 'zod';
import { releases } from '../src/catalog/catalog.ts';
import { readCatalogFolder } from '../src/catalog/folder.ts';
import { provenRows, standingOf, type ProvenRow } from '../src/catalog/proven.ts';
import { proofOf, sourcesOf, SOURCES, type SourceName } from '../src/catalog/release-facts.ts';
import { distributionSchema, type Release } from '../src/catalog/schema.ts';
import { TRAP_NAMES, TRAPS } from '../src/catalog/traps.ts';
import { schemaBlocks } from './template-reference.ts';

const DISTRIBUTION = z.toJSONSchema(distributionSchema, { io: 'input', target: 'draft-2020-12' });

export async function distrosPage(note: string): Promise<string> {
  const catalog = await readCatalogFolder();
  const all = releases(catalog);
  const proven = provenRows(catalog);
  const standIns = proven.filter(({ standIn }) => standIn !== undefined);
  const own = proven.filter(({ standIn }) => standIn === undefined);
  const blocks = [
    note,
    '# Distributions',
    `${all.length} releases of ${catalog.distributions.length} distributions. [The catalog](../catalog.md) says how they are used and how one is added.`,
    '## Releases and sources',
    '**proven here**: an image was built from it and booted by the tests. _seen_: its address was seen in what the table names. inferred: its address follows from a pattern, and nobody has seen it. From installers ingot does not build yet. `ingot catalog check` asks the mirrors themselves.',
    table(
      ['Release', 'Family', 'Supported until', ...SOURCES, 'Cloud image proved by', 'Seen in'],
      all.map((release) => [
        [release.id, ...release.aliases].map(code).join(', '),
        release.family,
        release.eol ?? (release.rolling ? 'rolling' : ''),
        ...SOURCES.map((source) => sourceCell(release, source, proven)),
        [...new Set(Object.values(release.images).map((image) => (image.login === undefined ? proofOf(image) : 'your file')))].join(', '),
        [...new Set([...Object.values(release.images), ...Object.values(release.installer?.media ?? {})].map(({ seen }) => seen))].join('; '),
      ]),
    ),
    '## What says so',
    table(
      ['Release', 'Architecture', 'Source', 'Result', 'Said by', 'On'],
      own.map((row) => [code(row.release), row.arch, row.source, resultOf(row), code(row.by), row.on ?? '']),
    ),
    ...(standIns.length === 0
      ? []
      : [
          '## Ways that were proven with stand-ins',
          'What stood for the image of the distribution shows the way to it, and says nothing of the image itself.',
          table(
            ['Release', 'Architecture', 'Source', 'Stood for it', 'Result', 'Said by', 'On'],
            standIns.map((row) => [code(row.release), row.arch, row.source, row.standIn ?? '', resultOf(row), code(row.by), row.on ?? '']),
          ),
        ]),
    '## Traps',
    'What is different in the cloud images of some releases, as data that builds act on.',
    table(
      ['Trap', 'Meaning', 'Releases'],
      TRAP_NAMES.map((trap) => [code(trap), TRAPS[trap], String(all.filter(({ traps }) => traps.includes(trap)).length)]),
    ),
    ...schemaBlocks('Distribution', DISTRIBUTION),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function sourceCell(release: Release, source: SourceName, proven: readonly ProvenRow[]): string {
  if (!sourcesOf(release).includes(source)) return '';
  const files = Object.values(source === 'cloud-image' ? release.images : (release.installer?.media ?? {}));
  const inferred = files.some((file) => file.inferred);
  return { proven: '**proven here**', seen: source === 'packages' ? 'not run' : '_seen_', inferred: source === 'packages' ? 'not run' : 'inferred' }[
    standingOf(proven, release.id, source, inferred)
  ];
}

function resultOf({ built, booted }: ProvenRow): string {
  return booted ? 'built and booted' : built ? 'built, not booted' : 'not built';
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
