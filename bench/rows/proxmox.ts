import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import * as z from 'zod';
import { realHost } from '../../src/base/host.ts';
import { findProgram } from '../../src/base/programs.ts';
import { BASE, newHome } from '../homes.ts';
import { writeRandomFile } from '../random-file.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/* Uploads to a server that throws them away, in a process of its own, over TLS; and what it costs to publish again what is there. */

const at = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const NODE = process.execPath;
const REPORT = at('../report-memory.mjs');
const MEBIBYTES = 1024;
const LARGE = 10 * 2 ** 30;

const serverSchema = z.object({ url: z.string(), fingerprint: z.string(), tokenId: z.string().optional(), secret: z.string().optional() });

/** A server in a process of its own, which says in its first line where it is. */
async function server(script: string): Promise<z.output<typeof serverSchema> & AsyncDisposable> {
  const child = spawn(NODE, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const said = serverSchema.parse(JSON.parse(line));
    return {
      ...said,
      async [Symbol.asyncDispose]() {
        child.kill();
        await new Promise((resolve) => child.once('close', resolve));
      },
    };
  }
  throw new Error(`${script} said nothing`);
}

async function upload(
  { url, fingerprint }: { readonly url: string; readonly fingerprint: string },
  file: string,
  size: number,
  sha256: string,
  env = {},
): Promise<number> {
  return Number((await timed([NODE, at('../proxmox/upload.ts'), url, fingerprint, file, String(size), sha256], env)).stdout);
}

async function speed(bench: Bench): Promise<Measured | string> {
  const host = realHost();
  if ((await findProgram(host, 'curl')) === undefined) return 'curl is not installed';
  const folder = join(bench.folder, 'upload');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'image.qcow2');
  await writeRandomFile(file, MEBIBYTES);
  const { hex } = await host.files.sha256(file);
  await using sink = await server(at('../proxmox/null-server.ts'));
  const [ours, theirs]: [number[], number[]] = [[], []];
  const form = ['-F', 'content=import', '-F', 'checksum-algorithm=sha256', '-F', `checksum=${hex}`, '-F', `filename=@${file}`];
  for (let round = 1; round <= Math.max(5, bench.rounds); round++) {
    bench.say(`round ${round}`);
    theirs.push(
      (await timed(['curl', '--silent', '--fail', '--insecure', '-o', '/dev/null', ...form, `${sink.url}/api2/json/nodes/pve/storage/local/upload`])).seconds,
    );
    ours.push(await upload(sink, file, MEBIBYTES * 2 ** 20, hex));
  }
  await rm(folder, { recursive: true });
  return { unit: 's', ours, theirs, note: `${MEBIBYTES} MiB over TLS` };
}

async function memory(bench: Bench): Promise<Measured> {
  const folder = join(bench.folder, 'upload-memory');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'image.qcow2');
  {
    await using out = await open(file, 'w');
    await out.truncate(LARGE);
  }
  bench.say('preparing: the digest of 10 GiB');
  const { hex } = await realHost().files.sha256(file);
  await using sink = await server(at('../proxmox/null-server.ts'));
  const report = join(folder, 'memory');
  await upload(sink, file, LARGE, hex, { NODE_OPTIONS: `--import=${REPORT}`, BENCH_MEMORY_FILE: report });
  const bytes = Number(await readFile(report, 'utf8'));
  await rm(folder, { recursive: true });
  return { unit: 'MB', ours: [bytes / 1e6], theirs: [] };
}

async function again(bench: Bench): Promise<Measured> {
  const env = await newHome(bench, 'publish-again', 'base');
  await using simulator = await server(at('../../tests/simulators/proxmox/start.ts'));
  const secret = { INGOT_SECRET_TARGET_PROXMOX_BENCH: simulator.secret ?? '' };
  const target = ['--url', simulator.url, '--token-id', simulator.tokenId ?? '', '--fingerprint', simulator.fingerprint];
  await timed([bench.ingot, 'target', 'add', 'proxmox', 'bench', ...target, '--quiet'], { ...env, ...secret });
  const publish = [bench.ingot, 'publish', BASE, '--to', 'proxmox:bench', '--no-ssh', '--unproven', '--quiet', '--yes'] as const;
  bench.say('preparing: the first publication');
  await timed(publish, env);
  const ours: number[] = [];
  for (let round = 1; round <= Math.max(5, bench.rounds); round++) ours.push((await timed(publish, env)).seconds);
  return { unit: 's', ours, theirs: [], note: 'no byte is sent' };
}

export const proxmoxUpload: Row = {
  name: 'proxmox-upload',
  what: 'an upload of a gigabyte to Proxmox VE',
  against: 'curl -F',
  // 0.9 times its speed.
  target: { ratio: 1.11 },
  measure: speed,
};

export const proxmoxMemory: Row = {
  name: 'proxmox-memory',
  what: 'the most memory that an upload of 10 GiB takes',
  against: '-',
  target: { value: 150 },
  measure: memory,
};

export const publishAgain: Row = {
  name: 'publish-again',
  what: 'publishing an unchanged image again',
  against: '-',
  target: { value: 1 },
  measure: again,
};
