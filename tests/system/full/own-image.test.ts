import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../../src/store/store.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * The image of a release that the user has, as a file or behind an address with a login: what goes wrong before a disk is opened, and a build to its end.
 * INGOT_TEST_HOME names a home with debian-12, and is kept.
 */

const reason = whyNot();
const TOKEN = 'Bearer tok-4711';
const NO_DISK = Buffer.from('this is no disk\n'.repeat(100));
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.skipIf(reason !== undefined)(`images that the user has${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let work: string;
  const served = new Map<string, Uint8Array>();
  const server = createServer((request, response) => {
    const bytes = served.get(request.url ?? '');
    if (request.headers.authorization !== TOKEN) return void response.writeHead(401).end();
    if (bytes === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  let url = '';

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    work = await mkdtemp('/var/tmp/ingot-own-image-');
    await mkdir(join(work, 'disks'), { recursive: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${z.object({ port: z.int() }).parse(server.address()).port}`;
    served.set('/no-disk.qcow2', NO_DISK);
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(work, { recursive: true, force: true });
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  async function failure(from: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const file = join(work, 'own.yaml');
    await writeFile(file, `from: { release: debian-12, ${from} }\n`);
    const { exitCode, stderr } = await home.ingot(['build', file, '--no-gate', '--yes'], { env });
    expect(exitCode).not.toBe(0);
    return stderr;
  }
  const withToken = (sha256: string): string => `url: '${url}/no-disk.qcow2', sha256: '${sha256}', authorization: { secret: images-token }`;

  test('a file is looked for beside the template, and one that is missing is named at its place', async () => {
    const missing = await failure('file: disks/gone.qcow2');
    expect(missing).toContain('disks/gone.qcow2');
    expect(missing).toMatch(/own\.yaml:1:/);
    await writeFile(join(work, 'disks', 'text.qcow2'), NO_DISK);
    expect(await failure('file: disks/text.qcow2')).toMatch(/\/disks\/text\.qcow2 is no disk that ingot can start from.*\(disk-unknown\)/);
  });

  test('an address without its secret, and with a wrong one, is refused by the server, and the secret is shown nowhere', async () => {
    expect(await failure(`url: '${url}/no-disk.qcow2', sha256: '${sha(NO_DISK)}'`)).toMatch(/the server answered 401.*\(download-failed\)/);
    const wrong = await failure(withToken(sha(NO_DISK)), { INGOT_SECRET_IMAGES_TOKEN: 'Bearer hunter2hunter2' });
    expect(wrong).toMatch(/the server answered 401.*\(download-failed\)/);
    expect(wrong).not.toContain('hunter2');
    expect(await failure(withToken(sha(NO_DISK)))).toContain('images-token');
  });

  test('what comes has to be what the checksum says; then it is looked at', async () => {
    const env = { INGOT_SECRET_IMAGES_TOKEN: TOKEN };
    expect(await failure(withToken('0'.repeat(64)), env)).toContain('download-mismatch');
    expect(await failure(withToken(sha(NO_DISK)), env)).toContain('disk-unknown');
    expect(await failure(`url: '${url}/no-disk.qcow2'`)).toContain('needs `sha256`');
  });

  test('an image as a file beside the template, and behind an address with a login, is built to its end', async () => {
    const disk = join(work, 'disks', 'debian.qcow2');
    if (process.env['INGOT_TEST_HOME'] === undefined) await home.json(['build', 'debian-12', '--no-gate', '--yes']);
    await home.json(['image', 'export', 'debian-12', join(work, 'export.qcow2')]);
    await rename(join(work, 'export.qcow2'), disk);
    const file = join(work, 'from-file.yaml');
    await writeFile(file, 'from: { release: debian-12, file: disks/debian.qcow2 }\nsteps: [{ run: echo yes >/etc/own }]\n');
    await home.json(['build', file, '--no-gate']);
    const bytes = await readFile(disk);
    served.set('/debian.qcow2', bytes);
    const other = join(work, 'from-url.yaml');
    await writeFile(
      other,
      `from: { release: debian-12, url: '${url}/debian.qcow2', sha256: '${sha(bytes)}', authorization: { secret: images-token } }\nsteps: [{ run: echo yes >/etc/own }]\n`,
    );
    await home.json(['build', other, '--no-gate'], { INGOT_SECRET_IMAGES_TOKEN: TOKEN });
    const { host, home: at } = await home.context();
    const store = openStore(host, at);
    const layers = (name: string): Promise<readonly string[]> =>
      store.resolve(`${name}:latest`).then(({ config }) => config['dev.ingot.image'].layers.map(({ key }) => key));
    // The same bytes are the same layers, wherever they are from.
    expect(await layers('from-url')).toEqual(await layers('from-file'));
  });
});
