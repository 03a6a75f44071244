/* What became of publications that were disturbed at each of their requests, as the tests recorded it last, and the page of the reference that shows it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const FILE = join(import.meta.dirname, '..', 'tests', 'contract', 'faults.json');

/** `cut`: the connection ends before the server has done anything; `lost`: the server has done it, and its answer does not arrive; and so on. */
export const FAULT_MODES = {
  cut: 'The connection ends before the server has done anything.',
  lost: 'The server has done it, and the answer does not arrive.',
  gone: 'From then on there is no network.',
  killed: 'ingot is killed before the request.',
  'killed-after': 'ingot is killed when the request was done, before anything was noted of it.',
} as const;
export type FaultMode = keyof typeof FAULT_MODES;
const MODES: readonly FaultMode[] = ['cut', 'lost', 'gone', 'killed', 'killed-after'];

/** How a disturbed publication ended: it went on by itself, or the same command had to be run again. */
export type FaultEnd = 'itself' | 'next run';

const rowsSchema = z.array(
  z.strictObject({ request: z.string(), ends: z.partialRecord(z.enum(['cut', 'lost', 'gone', 'killed', 'killed-after']), z.enum(['itself', 'next run'])) }),
);
const fileSchema = z.record(z.string(), rowsSchema);
type Rows = z.output<typeof rowsSchema>;

function readFaults(): z.output<typeof fileSchema> {
  return existsSync(FILE) ? fileSchema.parse(JSON.parse(readFileSync(FILE, 'utf8'))) : {};
}

/** Replaces what was recorded of a platform in one mode: the requests of a publication in their order, and how each ended. */
export function saveFaults(platform: string, mode: FaultMode, ends: readonly { readonly request: string; readonly end: FaultEnd }[]): void {
  const all = readFaults();
  const before = all[platform] ?? [];
  // An undisturbed publication makes the longest list, by which the others are told.
  const rows = ends.map(({ request, end }, index): Rows[number] => ({
    request,
    ends: { ...(before[index]?.request === request ? before[index].ends : {}), [mode]: end },
  }));
  writeFileSync(FILE, `${JSON.stringify({ ...all, [platform]: [...rows, ...before.slice(rows.length)] }, undefined, 1)}\n`);
}

/** docs/reference/faults.md. */
export function faultsPage(note: string): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const tables = Object.entries(readFaults()).flatMap(([platform, rows]) => [
    `## ${platform}`,
    [
      row(['', 'Request', ...MODES]),
      row(['---:', ...MODES.map(() => '---'), '---']),
      ...rows.map(({ request, ends }, index) => row([String(index + 1), `\`${request}\``, ...MODES.map((mode) => ends[mode] ?? '—')])),
    ].join('\n'),
  ]);
  return `${[
    note,
    '# Publications that are disturbed',
    'A publication to a simulator, disturbed at each of its requests in turn, at the last recorded run of the tests (`INGOT_RECORD_FAULTS=1`). `itself`: it went on by itself. `next run`: it ended, and the same command, run again, brought it to its end. In every case the state on the target was then the same as after a publication that nobody disturbed: no half-built machine, no trial, no upload was left. Nothing of this was seen on a real server.',
    MODES.map((mode) => `- **${mode}**: ${FAULT_MODES[mode]}`).join('\n'),
    ...tables,
  ].join('\n\n')}\n`;
}
