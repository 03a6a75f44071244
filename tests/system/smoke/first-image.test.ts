import { createServer, type Server } from 'node:http';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostProcesses } from '../../../src/base/process.ts';
import { makeScratch } from '../../../src/base/scratch.ts';
import { findRelease, shippedCatalog } from '../../../src/catalog/catalog.ts';
import { chooseMirrors } from '../../../src/sources/bootstrap/mirrors.ts';
import { layerPaths, openStore } from '../../../src/store/store.ts';
import { openPlace } from '../../../src/workspace/place.ts';
import { openThrowAway } from '../../../src/workspace/throw-away.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const builtSchema = z
  .object({
    images: z.tuple([
      z.object({
        name: z.string(),
        tag: z.string(),
        digest: z.string(),
        layers: z.array(z.object({ cached: z.boolean() })),
        gate: z.object({ result: z.string(), checks: z.array(z.object({ name: z.string(), result: z.string() })) }),
      }),
    ]),
  })
  .transform(({ images: [image] }) => image);

const reason = whyNot();

describe.skipIf(reason !== undefined)(`a first image${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let mirror: Server;
  let mirrorUrl = '';

  beforeAll(async () => {
    home = await TestHome.make();
    const upstream = (await chooseMirrors((await home.context()).host, findRelease(await shippedCatalog(), 'debian-12'), 'amd64', {})).archive;
    mirror = createServer(async (request, response) => {
      const path = (request.url ?? '').replace(/^\/debian/, '');
      const headers = request.headers['if-modified-since'] === undefined ? {} : { 'if-modified-since': request.headers['if-modified-since'] };
      const answer = await fetch(`${upstream}${path}`, { headers });
      response.writeHead(answer.status, Object.fromEntries([...answer.headers].filter(([name]) => ['last-modified', 'content-type'].includes(name))));
      if (answer.body !== null) for await (const chunk of answer.body) response.write(chunk);
      response.end();
    });
    await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
    const address = mirror.address();
    mirrorUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/debian`;
  });

  afterAll(async () => {
    mirror.closeAllConnections();
    mirror.close();
    await home.ingot(['vm', 'delete', 'web', '--force']);
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test('is built from a mirror, passes its gate, and is stored', async () => {
    const built = builtSchema.parse(await home.json(['build', 'debian-12', '--yes', '--mirror', mirrorUrl]));
    expect(built.gate.checks.filter((check) => check.result !== 'passed')).toEqual([]);
    expect(built.gate.result).toBe('passed');
    expect(built.tag).toMatch(/^\d{8}-[0-9a-f]{8}$/);
  });

  test('is not built again when nothing has changed, and needs no network then', async () => {
    mirror.closeAllConnections();
    const again = builtSchema.parse(await home.json(['build', 'debian-12', '--offline', '--mirror', 'http://127.0.0.1:9/debian']));
    expect(again.layers.map((layer) => layer.cached)).toEqual([true]);
    expect(again.gate.result).toBe('passed');
  });

  test('holds no trace of the mirror that it was built from', async () => {
    const context = await home.context();
    const image = await openStore(context.host, context.home).resolve('debian-12');
    expect(JSON.stringify(image)).not.toContain('127.0.0.1');
    await using scratch = await makeScratch(context.host, context.home, 'test');
    const chain = layerPaths(context.home, image);
    await using place = await openPlace(context, { kind: 'host', scratch: scratch.path });
    await using workspace = await openThrowAway(context, place, { chain, size: image.config['dev.ingot.image'].disk.size, scratch: scratch.path });
    const found = await workspace.root.run(['grep', '-rlF', mirrorUrl.replace('http://', ''), '/etc', '/var', '/usr/share', '/root', '/home', '/boot'], {
      accept: [1],
    });
    expect(found.stdout).toBe('');
    const { stdout } = await workspace.root.run(['sh', '-c', 'cat /etc/apt/sources.list.d/*.sources']);
    expect(stdout).toContain(image.config['dev.ingot.image'].repositories[0]?.split(' ')[0]);
  });

  test.skipIf(!existsSync('/usr/bin/skopeo'))('is read by skopeo (skipped where skopeo is not installed)', async () => {
    const { stdout } = await hostProcesses.run(['skopeo', 'inspect', `oci:${join(home.root, 'store')}:debian-12:latest`]);
    expect(JSON.parse(stdout)).toMatchObject({ Architecture: expect.any(String), Os: 'linux' });
  });

  test('becomes a VM that lets one in', async () => {
    await home.json(['vm', 'create', 'web', '--image', 'debian-12', '--cpus', '2', '--memory', '1GiB', '--disk', '10GiB']);
    const login = await home.ingot(['vm', 'ssh', 'web', '--', 'hostname; df --output=size -BG / | tail -1; id -un']);
    expect(login.stderr + login.stdout).toContain('web');
    const [hostname, size, user] = login.stdout.trim().split('\n');
    expect(hostname).toBe('web');
    expect(Number.parseInt(size ?? '', 10)).toBeGreaterThanOrEqual(9);
    expect(user).toBe('debian');
    expect((await home.ingot(['vm', 'exec', 'web', '--', 'sh', '-c', 'exit 7'])).exitCode).toBe(7);
    expect((await home.ingot(['vm', 'exec', 'web', '--', 'echo', 'two words', '$HOME'])).stdout).toBe('two words $HOME\n');
  });

  test('is not removed while the VM uses it, and the VM not while it runs', async () => {
    const image = await home.ingot(['image', 'remove', 'debian-12', '--all-tags']);
    expect(image.exitCode).toBe(4);
    expect(image.stderr).toMatch(/image-in-use/);
    expect(image.stderr).toMatch(/web/);
    const vm = await home.ingot(['vm', 'delete', 'web']);
    expect(vm.exitCode).toBe(4);
    expect(vm.stderr).toMatch(/vm-running/);
  });

  test('lets the VM stop, and go', async () => {
    expect(await home.ingot(['vm', 'stop', 'web'])).toMatchObject({ exitCode: 0 });
    expect(await home.ingot(['vm', 'delete', 'web'])).toMatchObject({ exitCode: 0 });
    expect(await traces(home.root)).toEqual([]);
  });
});
