import { spawn } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { realHost } from '../../src/base/host.ts';
import { findProgram } from '../../src/base/programs.ts';
import { hostPath } from '../../src/base/types.ts';
import { clientWith } from '../../src/platforms/cloudstack/open.ts';
import { REQUESTS } from '../../src/platforms/cloudstack/requests.ts';
import { signedQuery } from '../../src/platforms/cloudstack/signing.ts';
import { SimCloud } from '../../tests/simulators/cloudstack/cloud.ts';
import { cloudLab } from '../../tests/support/cloud-lab.ts';
import { startNginx } from '../nginx.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

/*
 * CloudStack: signing, long lists and ten zones against the simulator in this process, and the image server against an nginx that copies through user space as
 * it does (sendfile off).
 */

const SIGNED = 20_000;

/** Seconds for twenty thousand signatures, with the encoding of what is sent, on one core. */
function signing(bench: Bench): Promise<Measured> {
  const keys = { apiKey: 'a'.repeat(86), secretKey: 'b'.repeat(86) };
  const now = new Date();
  const parameters = {
    command: 'registerTemplate',
    name: 'web-0123abcd',
    displaytext: 'web:20260101-0123abcd (cloudstack-prod-web-0123abcd4567)',
    url: 'http://192.0.2.1:8000/0123456789abcdef/web.qcow2',
    zoneids: '00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002',
    checksum: `{SHA-256}${'0'.repeat(64)}`,
    'details[0].rootDiskController': 'virtio',
  };
  const once = (): number => {
    const start = performance.now();
    for (let i = 0; i < SIGNED; i++) signedQuery(parameters, keys, now);
    return (performance.now() - start) / 1000;
  };
  once();
  const ours = Array.from({ length: Math.max(5, bench.rounds) }, once);
  return Promise.resolve({ unit: 's', ours, theirs: [], note: `${SIGNED} requests` });
}

export const cloudSigning: Row = {
  name: 'cloudstack-signing',
  what: `signing ${SIGNED} requests on one core`,
  against: 'a second',
  target: { value: 1 },
  measure: signing,
};

const TEMPLATES = 5000;

async function listing(bench: Bench): Promise<Measured> {
  await using lab = await cloudLab();
  const { cloud } = lab.simulator;
  cloud.templateLimit = TEMPLATES;
  const [zone = ''] = cloud.zones.keys();
  for (let i = 0; i < TEMPLATES; i++)
    cloud.newRow(cloud.newTemplate({ name: `template-${i}`, format: 'QCOW2', hypervisor: 'KVM' }, undefined), zone, 'Download Complete');
  const client = clientWith(lab.context(), lab.target, lab.simulator.keys);
  const ours: number[] = [];
  for (let round = 0; round < Math.max(5, bench.rounds); round++) {
    const start = performance.now();
    await client.all(REQUESTS.templates());
    ours.push((performance.now() - start) / 1000);
  }
  await client.close();
  return { unit: 's', ours, theirs: [], note: 'the simulator answers in the same process' };
}

export const cloudListing: Row = {
  name: 'cloudstack-list',
  what: `listing ${TEMPLATES} templates`,
  against: 'two seconds',
  target: { value: 2 },
  measure: listing,
};

const ZONES = 10;
/** Milliseconds that a deployment takes in each zone but the slowest, and there. */
const [USUAL, SLOWEST] = [5000, 20_000];

/** A publication to one zone that is slow, and one to ten of which one is: the trials stand for what takes time in a real one. */
async function zones(bench: Bench): Promise<Measured> {
  const once = async (count: number): Promise<number> => {
    const names = Array.from({ length: count }, (_, index) => `z${index}`);
    await using lab = await cloudLab({ cloud: new SimCloud(names), contract: false, waits: true });
    const { cloud } = lab.simulator;
    const slow = cloud.zoneNamed('z0').id;
    cloud.boot = async ({ id }) => {
      await sleep(cloud.vms.get(id)?.zoneid === slow ? SLOWEST : USUAL);
      return { address: () => undefined, reboot: () => Promise.resolve(), stop: () => Promise.resolve() };
    };
    const image = await lab.image();
    const start = performance.now();
    await lab.publish(image, { ssh: false });
    return (performance.now() - start) / 1000;
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < bench.rounds; round++) {
    ours.push(await once(ZONES));
    theirs.push(await once(1));
  }
  return { unit: 's', ours, theirs, note: 'the simulator answers in the same process; real zones take minutes' };
}

export const cloudZones: Row = {
  name: 'cloudstack-zones',
  what: `a publication to ${ZONES} zones`,
  against: 'one to the slowest of them',
  target: { ratio: 1.1 },
  measure: zones,
};

const MEBIBYTES = 1024;
const [NGINX_PORT, OWN_PORT] = [18_612, 18_613];

async function served(bench: Bench, clients: number): Promise<Measured | string> {
  const host = realHost();
  for (const program of ['nginx', 'curl']) if ((await findProgram(host, program)) === undefined) return `${program} is not installed`;
  const folder = join(bench.folder, `serve-${clients}`);
  await mkdir(join(folder, 'www'), { recursive: true });
  const file = hostPath(join(folder, 'www', 'image.qcow2'));
  {
    await using out = await open(file, 'w');
    const piece = Buffer.alloc(2 ** 20, 7);
    for (let i = 0; i < MEBIBYTES; i++) await out.write(piece);
  }
  await using _nginx = await startNginx(folder, { port: NGINX_PORT, sendfile: 'off' });
  await using own = ownServer(file);
  const urls = { ours: await own.url, theirs: `http://127.0.0.1:${NGINX_PORT}/image.qcow2` };
  const fetchAll = async (url: string): Promise<number> => {
    const start = performance.now();
    await Promise.all(
      Array.from({ length: clients }, () =>
        timed(['curl', '--silent', '--fail', '--retry', '20', '--retry-connrefused', '--retry-delay', '1', '-o', '/dev/null', url]),
      ),
    );
    return (performance.now() - start) / 1000;
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round <= Math.max(5, bench.rounds); round++) {
    const [mine, others] = [await fetchAll(urls.ours), await fetchAll(urls.theirs)];
    // The first of each brings the file into memory.
    if (round > 0) {
      ours.push(mine);
      theirs.push(others);
    }
  }
  const memory = await own.memory();
  await rm(folder, { recursive: true });
  return { unit: 's', ours, theirs, note: `${MEBIBYTES} MiB for each; our process had ${memory} MB at most` };
}

interface OwnServer extends AsyncDisposable {
  readonly url: Promise<string>;
  /** MB of memory at most. */
  memory(): Promise<number>;
}

/** The image server in a process of its own, as nginx has one: its clients do not compute in it. */
function ownServer(file: string): OwnServer {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'serve-image.ts'), file, String(OWN_PORT)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let heard = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => {
    lines.push(
      ...chunk
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );
    heard.resolve();
    heard = Promise.withResolvers<void>();
  });
  const line = async (): Promise<string> => {
    while (lines.length === 0) await heard.promise;
    return lines.shift() ?? '';
  };
  return {
    url: line(),
    async memory() {
      child.stdin.write('memory\n');
      return Math.round(Number(await line()));
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await new Promise((resolve) => child.once('exit', resolve));
    },
  };
}

/** At least half as fast. */
const SERVED_RATIO = 2;

export const cloudServe: Row = {
  name: 'cloudstack-serve',
  what: 'serving an image of a gigabyte to one client',
  against: 'nginx with sendfile off',
  target: { ratio: SERVED_RATIO },
  measure: (bench) => served(bench, 1),
};
export const cloudServeFour: Row = {
  ...cloudServe,
  name: 'cloudstack-serve-4',
  what: 'serving an image of a gigabyte to four clients',
  measure: (bench) => served(bench, 4),
};
