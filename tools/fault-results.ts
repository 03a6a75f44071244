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
  restart: 'The server is started again at that request, and cancels the jobs that run.',
} as const;
const modeSchema = z.enum(['cut', 'lost', 'gone', 'killed', 'killed-after', 'restart']);
export type FaultMode = z.output<typeof modeSchema>;

/** How a disturbed publication ended: it went on by itself, or the same command had to be run again. */
export type FaultEnd = 'itself' | 'next run';

const rowsSchema = z.array(z.strictObject({ request: z.string(), ends: z.partialRecord(modeSchema, z.enum(['itself', 'next run'])) }));
const fileSchema = z.record(z.string(), rowsSchema);
type Rows = z.output<typeof rowsSchema>;

function readFaults(): z.output<typeof fileSchema> {
  return existsSync(FILE) ? fileSchema.parse(JSON.parse(readFileSync(FILE, 'utf8'))) : {};
}

/** Replaces what was recorded of a platform in one mode: the requests of a publication in their order, and how each ended. */
export function saveFaults(platform: string, mode: FaultMode, ends: readonly { readonly request: string; readonly end: FaultEnd }[]): void {
  const all = readFaults();
  const before = numbered((all[platform] ?? []).map((row) => ({ ...row, ends: Object.fromEntries(Object.entries(row.ends).filter(([key]) => key !== mode)) })));
  // Where places are served side by side, their requests come in another order each time: the first `getJob` is the first one of before, wherever it stands.
  const now = numbered(ends.map(({ request, end }): Rows[number] => ({ request, ends: { [mode]: end } })));
  const rows = [...now].map(([key, row]) => ({ ...row, ends: { ...before.get(key)?.ends, ...row.ends } }));
  const others = [...before].flatMap(([key, row]) => (now.has(key) || Object.keys(row.ends).length === 0 ? [] : [row]));
  writeFileSync(FILE, `${JSON.stringify({ ...all, [platform]: rowsSchema.parse([...rows, ...others]) }, undefined, 1)}\n`);
}

/** Rows by their request, and by which of its like it is. */
function numbered(rows: Rows): Map<string, Rows[number]> {
  const seen = new Map<string, number>();
  return new Map(
    rows.map((row) => {
      const count = (seen.get(row.request) ?? 0) + 1;
      seen.set(row.request, count);
      return [`${count} ${row.request}`, row];
    }),
  );
}

/** docs/reference/faults.md. */
export function faultsPage(note: string): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const tables = Object.entries(readFaults()).flatMap(([platform, rows]) => {
    // Not every platform is disturbed in every way.
    const modes = modeSchema.options.filter((mode) => rows.some(({ ends }) => ends[mode] !== undefined));
    return [
      `## ${platform}`,
      [
        row(['', 'Request', ...modes]),
        row(['---:', '---', ...modes.map(() => '---')]),
        ...rows.map(({ request, ends }, index) => row([String(index + 1), `\`${request}\``, ...modes.map((mode) => ends[mode] ?? '—')])),
      ].join('\n'),
    ];
  });
  return `${[
    note,
    '# Publications that are disturbed',
    'A publication to a simulator, disturbed at each of its requests in turn, at the last recorded run of the tests (`INGOT_RECORD_FAULTS=1`). `itself`: it went on by itself. `next run`: it ended, and the same command, run again, brought it to its end. In every case the state on the target was then the same as after a publication that nobody disturbed: no half-built machine, no trial, no upload was left. Nothing of this was seen on a real server.',
    modeSchema.options.map((mode) => `- **${mode}**: ${FAULT_MODES[mode]}`).join('\n'),
    'A table has the ways in which that platform is disturbed. `—`: the publication was shorter that time, and came to its end before that request.',
    ...tables,
  ].join('\n\n')}\n`;
}
