/*
 * What is fast, measured side by side in one run: `node bench/run.ts`, or `./bench/run`. Prints a table, writes JSON.
 *
 *     --only NAME[,NAME]       some rows: the names in bench/rows/
 *     --rounds N               rounds of each comparison that takes long; default 3
 *     --plain-pipeline FILE    the program to compare builds with
 *     --output FILE            JSON; default bench/results/latest.json
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hostPath } from '../src/base/types.ts';
import { median, type Bench, type Measured, type Row } from './row.ts';
import { bootRow, vmCreate } from './rows/boot.ts';
import { cachedBuild, coldBuild, exportedSize } from './rows/build-cold.ts';
import { cloudImage } from './rows/cloud-image.ts';
import { imageDownload } from './rows/download.ts';
import { cloudListing, cloudServe, cloudServeFour, cloudSigning, cloudZones } from './rows/cloudstack.ts';
import { dockerPacker, dockerVirtCustomize, dockerVm } from './rows/docker.ts';
import { fleetBuild, fleetSize } from './rows/fleet.ts';
import { formatRows } from './rows/formats.ts';
import { helperVmStart } from './rows/helper-vm.ts';
import { createMany, listMany } from './rows/lab.ts';
import { labCreate } from './rows/lab-create.ts';
import { linkedClone, snapshotCreate, snapshotRestore } from './rows/lab-disks.ts';
import { cachedLayers, changedStep } from './rows/layers.ts';
import { planFleet, planFleetMemory } from './rows/plan-fleet.ts';
import { proxmoxMemory, proxmoxUpload, publishAgain } from './rows/proxmox.ts';
import { pullBase, pushBase, pushSibling } from './rows/remotes.ts';
import { listStart, versionStart } from './rows/startup.ts';
import { warmStart } from './rows/warm.ts';

const ROWS: readonly Row[] = [
  versionStart,
  listStart,
  coldBuild,
  cachedBuild,
  exportedSize,
  vmCreate,
  createMany,
  listMany,
  bootRow,
  dockerPacker,
  dockerVirtCustomize,
  dockerVm,
  changedStep,
  cachedLayers,
  fleetBuild,
  fleetSize,
  planFleet,
  planFleetMemory,
  helperVmStart,
  labCreate,
  linkedClone,
  snapshotCreate,
  snapshotRestore,
  warmStart,
  imageDownload,
  cloudImage,
  pushSibling,
  pushBase,
  pullBase,
  cloudSigning,
  cloudListing,
  cloudZones,
  cloudServe,
  cloudServeFour,
  ...formatRows,
  proxmoxUpload,
  proxmoxMemory,
  publishAgain,
];
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

interface Result {
  readonly row: Row;
  readonly measured: Measured | string;
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, rounds: { type: 'string' }, 'plain-pipeline': { type: 'string' }, output: { type: 'string' } },
});
const wanted = values.only?.split(',');
const beside = join(PROJECT, '..', 'shared', 'tools', 'plain-pipeline');
const output = resolve(values.output ?? join(PROJECT, 'bench', 'results', 'latest.json'));
const folder = hostPath(await mkdtemp(join(tmpdir(), 'ingot-bench-')));
const bench: Bench = {
  folder,
  ingot: join(PROJECT, 'ingot'),
  plainPipeline: values['plain-pipeline'] ?? (existsSync(beside) ? beside : undefined),
  rounds: Number(values.rounds ?? 3),
  say: (text) => process.stderr.write(`${text}\n`),
};
const results: Result[] = [];
try {
  for (const row of ROWS) {
    if (wanted !== undefined && !wanted.includes(row.name)) continue;
    bench.say(`-- ${row.name}: ${row.what}`);
    const measured = await row.measure(bench);
    results.push({ row, measured });
    // Said at once: a run of all rows takes an hour, and what fails later takes nothing away.
    bench.say(table([{ row, measured }]));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
await mkdir(dirname(output), { recursive: true });
await writeFile(
  output,
  `${JSON.stringify({ date: new Date().toISOString(), cpus: cpus().length, memory: totalmem(), node: process.version, rows: results.map(toJson) }, undefined, 2)}\n`,
);
process.stdout.write(table(results));

function toJson({ row, measured }: Result): object {
  const { name, what, against, target } = row;
  return { name, what, against, target, ...(typeof measured === 'string' ? { notRun: measured } : { ...measured, result: summary(row, measured) }) };
}

function summary(row: Row, measured: Measured): { ours: number; theirs?: number; ratio?: number; reached: boolean } {
  const ours = median(measured.ours);
  const theirs = measured.theirs.length === 0 ? undefined : median(measured.theirs);
  const ratio = theirs === undefined ? undefined : ours / theirs;
  const reached = (row.target.ratio === undefined || (ratio ?? Infinity) <= row.target.ratio) && (row.target.value === undefined || ours <= row.target.value);
  return { ours, ...(theirs === undefined || ratio === undefined ? {} : { theirs, ratio }), reached };
}

function table(all: readonly Result[]): string {
  const lines = all.map(({ row, measured }) => {
    if (typeof measured === 'string') return [row.what, '', '', 'not run', measured];
    const { ours, theirs, ratio, reached } = summary(row, measured);
    const show = (value: number | undefined): string =>
      value === undefined ? '-' : `${value < 10 && measured.unit === 's' ? value.toFixed(3) : value.toFixed(1)} ${measured.unit}`;
    const target = [
      row.target.ratio === undefined ? '' : `<= ${row.target.ratio}x`,
      row.target.value === undefined ? '' : `<= ${row.target.value} ${measured.unit}`,
    ]
      .filter((text) => text !== '')
      .join(' and ');
    return [
      row.what,
      show(ours),
      show(theirs),
      ratio === undefined ? '-' : `${ratio.toFixed(2)}x`,
      `${target}: ${reached ? 'reached' : 'MISSED'}${measured.note === undefined ? '' : ` (${measured.note})`}`,
    ];
  });
  const rows = [['what', 'ours', 'theirs', 'ratio', 'target'], ...lines];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')}\n`).join('');
}
