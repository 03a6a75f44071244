import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostProcesses } from '../../../src/base/process.ts';
import { layerPaths, openStore } from '../../../src/store/store.ts';
import { INGOT, TestHome, traces, whyNot } from '../support.ts';

const reason = whyNot();
const root = userInfo().uid === 0;
const builtSchema = z
  .object({ images: z.tuple([z.object({ digest: z.string(), layers: z.array(z.object({ cached: z.boolean() })) })]) })
  .transform(({ images: [image] }) => image);

describe.skipIf(reason !== undefined)(`faults${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  beforeAll(async () => void (home = await TestHome.make()));
  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test('two builds of one image at once: one works, the other waits and says so, both succeed', async () => {
    const [one, two] = await Promise.all([
      home.ingot(['build', 'debian-12', '--no-gate', '--yes', '--json']),
      sleep(3000).then(() => home.ingot(['build', 'debian-12', '--no-gate', '--yes', '--json'])),
    ]);
    expect([one.exitCode, two.exitCode]).toEqual([0, 0]);
    const [first, second] = [one, two].map(({ stdout }) => builtSchema.parse(JSON.parse(stdout)));
    expect(second?.digest).toBe(first?.digest);
    expect([first, second].map((built) => built?.layers[0]?.cached).toSorted()).toEqual([false, true]);
    expect(one.stderr + two.stderr).toMatch(/Waiting for process \d+/);
  });

  test('a flipped bit is found, and not built upon', async () => {
    const context = await home.context();
    const [blob = ''] = layerPaths(context.home, await openStore(context.host, context.home).resolve('debian-12'));
    const { size } = await stat(blob);
    await context.host.files.setMode(blob, 0o644);
    {
      await using file = await open(blob, 'r+');
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, Math.floor(size / 2));
      await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, Math.floor(size / 2));
    }
    const found = await home.ingot(['image', 'verify']);
    expect(found.exitCode).toBe(7);
    expect(found.stdout + found.stderr).toMatch(/blob-changed|changed/);
    await home.ingot(['image', 'verify', '--repair', '--yes']);
    const rebuilt = builtSchema.parse(await home.json(['build', 'debian-12', '--no-gate', '--offline']));
    expect(rebuilt.layers.map((layer) => layer.cached)).toEqual([false]);
    // The damaged image stays marked until it is removed; what was built anew is whole.
    expect(await home.ingot(['image', 'verify', 'debian-12'])).toMatchObject({ exitCode: 0 });
  });

  test.skipIf(!root)('a disk that fills up in the middle is named, and the store is as it was (needs root)', async () => {
    const small = join(home.root, 'small');
    await mkdir(small);
    await hostProcesses.run(['mount', '-t', 'tmpfs', '-o', 'size=2800m', 'ingot-test', small]);
    try {
      const env = { INGOT_HOME: join(small, 'home') };
      const building = home.ingot(['build', 'debian-12', '--no-gate', '--yes'], { env });
      await sleep(6000);
      const { stdout } = await hostProcesses.run(['df', '--block-size=1M', '--output=avail', small]);
      const leave = 30;
      await hostProcesses
        .run(['dd', 'if=/dev/zero', `of=${join(small, 'filler')}`, 'bs=1M', `count=${Math.max(1, Number(stdout.split('\n')[1]) - leave)}`])
        .catch(() => undefined);
      const full = await building;
      expect(full.exitCode, full.stderr).toBe(8);
      expect(full.stderr).toMatch(/disk-full/);
      expect(await home.ingot(['image', 'verify'], { env })).toMatchObject({ exitCode: 0 });
      expect(await readdir(join(small, 'home', 'run'))).toEqual([]);
      await rm(join(small, 'filler'));
      expect(await home.ingot(['build', 'debian-12', '--no-gate'], { env })).toMatchObject({ exitCode: 0 });
      // A step meets it as an error of reading or writing.
      await writeFile(join(small, 'big.yaml'), 'from: debian-12\nsteps:\n  - run: dd if=/dev/urandom of=/big bs=1M count=3000\n');
      const step = await home.ingot(['build', join(small, 'big.yaml'), '--no-gate', '--offline'], { env });
      expect(step.exitCode, step.stderr).toBe(8);
      expect(step.stderr).toMatch(/disk-full/);
      expect(await readdir(join(small, 'home', 'run'))).toEqual([]);
    } finally {
      await hostProcesses.run(['umount', '--lazy', small]);
    }
  });

  test('a mirror that is down, one that has no such release, and one whose signature is wrong are told apart', async () => {
    const unsigned = createServer((request, response) => {
      if (request.url?.endsWith('/InRelease') !== true) return void response.writeHead(404).end();
      response.end(
        '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSuite: oldstable\nCodename: bookworm\n-----BEGIN PGP SIGNATURE-----\n\niHUEARYKAB0WIQ==\n=abcd\n-----END PGP SIGNATURE-----\n',
      );
    });
    await new Promise<void>((resolve) => unsigned.listen(0, '127.0.0.1', resolve));
    const address = unsigned.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const plan = (mirror: string) => home.ingot(['plan', 'debian-12', '--mirror', mirror, '--security-mirror', mirror]);
      expect((await plan('http://127.0.0.1:9/debian')).stderr).toMatch(/mirror-unreachable/);
      const wrong = await plan(`http://127.0.0.1:${port}/debian`);
      expect(wrong.stderr).toMatch(/signature-invalid/);
      expect(wrong.exitCode).toBe(7);
      expect((await plan('not an address')).stderr).toMatch(/mirror-invalid/);
    } finally {
      unsigned.closeAllConnections();
      unsigned.close();
    }
  });

  test('wrong input is refused by name, and changes nothing', async () => {
    const before = (await readdir(home.root, { recursive: true })).filter((path) => !/^(logs|locks)/.test(path)).toSorted();
    const cases: readonly (readonly [args: readonly string[], exitCode: number, code: RegExp])[] = [
      [['build', 'debian-21'], 3, /release-unknown/],
      [['build', 'debian-12', '--flavour', 'x'], 2, /arguments-invalid.*\n.*--flavour/],
      [['build', 'debian-12', '--size', '100MiB', '--offline'], 2, /disk-too-small/],
      [['build', 'debian-12', '--size', 'much', '--offline'], 2, /size-invalid/],
      [['build', 'debian-12', '--tag', '../x', '--offline'], 2, /reference-invalid/],
      [['vm', 'create', 'a/b', '--image', 'debian-12'], 2, /name-invalid/],
      [['vm', 'create', '--', '-x', '--image', 'debian-12'], 2, /invalid|unknown|missing/],
      [['vm', 'create', 'web', '--image', 'nothing-like-it'], 3, /image-unknown/],
      [['vm', 'delete', 'nothing-like-it'], 3, /vm-unknown/],
      [['image', 'export', 'debian-12', '/nowhere/x.qcow2'], 3, /./],
      [['image', 'export', 'debian-12', '/var/tmp/x.floppy'], 2, /format/],
    ];
    for (const [args, exitCode, code] of cases) {
      const result = await home.ingot(args);
      expect(result.exitCode, `ingot ${args.join(' ')}: ${result.stderr}`).toBe(exitCode);
      expect(result.stderr).toMatch(code);
    }
    expect((await readdir(home.root, { recursive: true })).filter((path) => !/^(logs|locks)/.test(path)).toSorted()).toEqual(before);
  });

  test.skipIf(!root || !existsSync('/usr/bin/sudo'))(
    'an ordinary user builds with sudo for the helper alone, and owns all that is made (needs root and sudo)',
    async () => {
      const user = 'ingot-test';
      await hostProcesses.run(['useradd', '--create-home', '--shell', '/bin/sh', user]).catch(() => undefined);
      const sudoers = `/etc/sudoers.d/${user}`;
      await writeFile(sudoers, `${user} ALL=(ALL) NOPASSWD: ALL\n`, { mode: 0o440 });
      const project = join('/home', user, 'project');
      try {
        // A clone of the user's own: the project may lie where others cannot look.
        await hostProcesses.run(['cp', '-a', join(INGOT, '..'), project]);
        await hostProcesses.run(['chown', '-R', `${user}:`, project]);
        await hostProcesses.run(['runuser', '-u', user, '--', join(project, 'ingot'), 'build', 'debian-12', '--no-gate', '--yes'], {
          env: { HOME: join('/home', user) },
          timeout: 1200,
        });
        const { stdout } = await hostProcesses.run(['find', join('/home', user, '.local/share/ingot'), '!', '-user', user]);
        expect(stdout).toBe('');
      } finally {
        await rm(sudoers);
        await hostProcesses.run(['userdel', '--remove', user], { accept: [12] });
      }
    },
  );
});
