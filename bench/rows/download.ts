import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { findProgram } from '../../src/base/programs.ts';
import { fetchLargeFile } from '../../src/base/transfer/large-file.ts';
import { hostPath } from '../../src/base/types.ts';
import { startNginx } from '../nginx.ts';
import { writeRandomFile } from '../random-file.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * A file of a gigabyte from an nginx on this host: verified and kept by ingot's downloader, against `curl -o`, which does neither. The nginx has a configuration of its own
 * and sends files as it does by default.
 */

const MEBIBYTES = 1024;
const PORT = 18_611;

async function download(bench: Bench): Promise<Measured | string> {
  const host = realHost();
  for (const program of ['nginx', 'curl']) if ((await findProgram(host, program)) === undefined) return `${program} is not installed`;
  const folder = join(bench.folder, 'download');
  await mkdir(join(folder, 'www'), { recursive: true });
  const file = join(folder, 'www', 'image');
  await writeRandomFile(file, MEBIBYTES);
  const { hex } = await host.files.sha256(file);
  await using _server = await startNginx(folder, { port: PORT, sendfile: 'on' });
  bench.say('preparing: nginx with a file of a gigabyte');
  await timed(['curl', '--silent', '--retry', '20', '--retry-connrefused', '--retry-delay', '1', '-o', '/dev/null', `http://127.0.0.1:${PORT}/`]);
  const url = `http://127.0.0.1:${PORT}/image`;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= Math.max(5, bench.rounds); round++) {
    bench.say(`round ${round}`);
    const out = join(folder, 'curl-out');
    theirs.push((await timed(['curl', '--silent', '--fail', '-o', out, url])).seconds);
    await rm(out);
    // Nothing of the other's writing is still on its way to the disk.
    await timed(['sync']);
    const home = await openHome(host, hostPath(join(folder, `home-${round}`)));
    const start = performance.now();
    const digest = { algorithm: 'sha256', hex } as const;
    await fetchLargeFile(host, home, { urls: [url], limit: 2 ** 40, digest }, { offline: false, signal: new AbortController().signal });
    ours.push((performance.now() - start) / 1000);
    await rm(home.root, { recursive: true });
    await timed(['sync']);
  }
  await rm(folder, { recursive: true });
  return { unit: 's', ours, theirs, note: `${MEBIBYTES} MiB; ours is hashed, curl's is not` };
}

export const imageDownload: Row = {
  name: 'download',
  what: 'a download of a gigabyte, verified',
  against: 'curl -o',
  // 0.9 times its speed.
  target: { ratio: 1.11 },
  measure: download,
};
