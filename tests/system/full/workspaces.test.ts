import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, traces, whyNot } from '../support.ts';
import { treeOfImage } from '../tree.ts';

const TEMPLATE = `
from: "debian-12:latest"
packages: [file]
steps:
  - { file: /etc/motd, content: "hello\\n" }
  - run: |
      useradd --create-home worker
      mkdir -p /srv/www && echo one >/srv/www/index.html
      mkfifo /srv/pipe && ln -s www /srv/link && ln /srv/www/index.html /srv/again
      chown -R worker: /srv/www && chmod 2750 /srv/www
`;

const reason = whyNot();

describe.skipIf(reason !== undefined)(`the two workspaces${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let onHost: TestHome;
  let inVm: TestHome;
  let file: string;

  beforeAll(async () => {
    onHost = await TestHome.make();
    inVm = await TestHome.make();
    await onHost.json(['build', 'debian-12', '--no-gate', '--yes', '--allow-expired-metadata', '--workspace', 'host']);
    await cp(onHost.root, inVm.root, { recursive: true });
    const folder = join(onHost.root, 'my-templates');
    await mkdir(folder);
    file = join(folder, 'web.yaml');
    await writeFile(file, TEMPLATE);
  });
  afterAll(async () => {
    await onHost[Symbol.asyncDispose]();
    await inVm[Symbol.asyncDispose]();
  });

  test('give the same files: content, modes, owners, links, extended attributes', async () => {
    await onHost.json(['build', file, '--no-gate', '--workspace', 'host']);
    await inVm.json(['build', file, '--no-gate', '--workspace', 'vm']);
    // Times alone are left out: a step takes place when it does.
    const [host = [], vm = []] = await Promise.all([onHost, inVm].map(async (home) => await treeOfImage(await home.context(), 'web')));
    expect(host.length).toBeGreaterThan(10_000);
    expect(host.find((line) => line.startsWith('/srv/www '))).toContain('0o42750');
    const known = new Set(host);
    expect(vm.filter((line) => !known.has(line))).toEqual([]);
    expect(vm).toHaveLength(host.length);
  });

  test('kill -9 while the helper VM works leaves no process, and no scratch after the next command', async () => {
    const slow = join(onHost.root, 'my-templates', 'slow.yaml');
    await writeFile(slow, 'from: "debian-12:latest"\nsteps:\n  - run: sleep 600\n');
    const running = inVm.start(['build', slow, '--no-gate', '--offline', '--workspace', 'vm']);
    const qemu = async (): Promise<string[]> => (await traces(inVm.root)).filter((trace) => trace.includes('ingot-helper'));
    for (let tries = 0; (await qemu()).length === 0; tries++) {
      if (tries > 300) throw new Error('the helper VM was not started within 60 s');
      await sleep(200);
    }
    // Into the step, or just before it.
    await sleep(5000);
    running.kill('SIGKILL');
    await running.ended;
    await sleep(500);
    expect(await traces(inVm.root)).toEqual([]);
    expect(await readdir(join(inVm.root, 'run'))).not.toEqual([]);
    await inVm.json(['image', 'list']);
    expect(await readdir(join(inVm.root, 'run'))).toEqual([]);
  });

  test('a saved state that is damaged is said, and replaced by booting', async () => {
    const folder = join(inVm.root, 'cache', 'helper');
    const saved = (await readdir(folder, { recursive: true })).find((name) => /ram-[0-9a-f]+$/.test(name));
    expect(saved).toBeDefined();
    await writeFile(join(folder, saved ?? ''), 'rubbish');
    const other = join(onHost.root, 'my-templates', 'other.yaml');
    await writeFile(other, 'from: "debian-12:latest"\nsteps:\n  - run: "true"\n');
    const { exitCode, stderr } = await inVm.ingot(['build', other, '--no-gate', '--offline', '--workspace', 'vm']);
    expect(stderr).toContain('The saved state of the helper VM is damaged; booting it instead.');
    expect(exitCode).toBe(0);
  });
});
