import { copyFile, mkdtemp, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hostProcesses } from '../../../src/base/process.ts';
import { hostPath } from '../../../src/base/types.ts';
import { CloudLab, whyNoCloudImages } from '../cloud-lab.ts';
import { INGOT, TestHome, traces } from '../support.ts';

/*
 * What goes wrong on the way from a mirror to an image, as one meets it who runs `ingot build`: mirrors that are wrong, slow, gone, or change; signatures that do
 * not hold; Ctrl-C, kill -9 and a full disk while it is downloaded, taken in and grown. Each fault has its unit tests beside the code; here the whole way is gone.
 */

const DISK = 'gpt-bios-only';
const FILE = `${DISK}.qcow2`;
const RELEASE = `debian-${DISK}`;
/** The kernel takes a moment to end a process tree. */
const MOMENT = 500;

const reason = await whyNoCloudImages();
const root = userInfo().uid === 0;

describe.skipIf(reason !== undefined)(`faults of cloud images${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let lab: CloudLab;
  let home: TestHome;
  let size = 0;

  beforeAll(async () => {
    lab = await CloudLab.make([DISK, 'whole-disk']);
    const { host } = await lab.home.context();
    await host.processes.run(['zstd', '-1', '-q', '-f', lab.file('whole-disk')]);
    await lab.add('whole-disk.qcow2.zst', 'debian-packed', { compression: 'zst' });
    await lab.add(FILE, 'debian-mirrored', { url: `${lab.mirror.url}/gone/${FILE}`, mirrors: [`${lab.mirror.url}/${FILE}`] });
    size = (await host.files.status(lab.file(DISK)))?.size ?? 0;
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  beforeEach(async () => {
    lab.mirror.faults.clear();
    home = await TestHome.make();
    await lab.publish(home);
    lab.mirror.asked.length = 0;
    lab.mirror.sent = 0;
    return async () => {
      expect(await traces(home.root)).toEqual([]);
      await home[Symbol.asyncDispose]();
    };
  });

  async function build(release: string, more: readonly string[] = []): Promise<{ readonly exitCode: number; readonly stderr: string }> {
    return await home.ingot(['build', release, '--no-gate', '--yes', '--size', '4GiB', ...more]);
  }

  /** Builds until something is so, and then ends it: by `signal`, as the terminal does. Returns what it said. */
  async function stopped(
    signal: 'SIGINT' | 'SIGKILL',
    until: (said: string) => boolean,
  ): Promise<{ readonly exitCode: number | undefined; readonly said: string }> {
    const running = hostProcesses.spawn([INGOT, 'build', RELEASE, '--no-gate', '--yes', '--size', '4GiB'], {
      env: home.environment(),
      stdout: 'ignore',
      stderr: 'pipe',
    });
    const heard: string[] = [];
    if (running.stderr !== null) createInterface({ input: running.stderr }).on('line', (line) => heard.push(line));
    const state = { over: false };
    void running.ended.then(() => (state.over = true));
    while (!until(heard.join('\n'))) {
      if (state.over) throw new Error(`it ended before it could be stopped: ${heard.join('\n')}`);
      await sleep(5);
    }
    running.kill(signal);
    const { exitCode } = await running.ended;
    await sleep(MOMENT);
    expect(await traces(home.root)).toEqual([]);
    return { exitCode, said: heard.join('\n') };
  }

  async function expectWhole(): Promise<void> {
    const { exitCode, stderr } = await build(RELEASE);
    expect(exitCode, stderr).toBe(0);
    expect(await readdir(join(home.root, 'run'))).toEqual([]);
    expect((await readdir(join(home.root, 'cache', 'disks'))).filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
    expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
  }

  test.each(['SIGINT', 'SIGKILL'] as const)('%s while it is downloaded: the next command goes on from there', async (signal) => {
    lab.mirror.faults.set(FILE, { rate: 5 * 2 ** 20 });
    const { exitCode } = await stopped(signal, () => lab.mirror.sent > size / 3);
    expect(exitCode).toBe(signal === 'SIGINT' ? 130 : undefined);
    lab.mirror.faults.clear();
    lab.mirror.sent = 0;
    await expectWhole();
    expect(lab.mirror.sent).toBeLessThan(size * 0.9);
  });

  test.each(['into the store', 'preparation'])('ended at several moments of "%s": nothing is left, and nothing is downloaded again', async (stage) => {
    for (const [signal, milliseconds] of [
      ['SIGKILL', 0],
      ['SIGINT', 200],
      ['SIGKILL', 700],
      ['SIGINT', 1500],
    ] as const) {
      const since = { at: 0 };
      const { exitCode } = await stopped(signal, (said) => {
        if (since.at === 0 && said.includes(stage)) since.at = Date.now();
        return since.at > 0 && Date.now() - since.at >= milliseconds;
      });
      expect(exitCode).toBe(signal === 'SIGINT' ? 130 : undefined);
    }
    lab.mirror.sent = 0;
    await expectWhole();
    expect(lab.mirror.sent).toBe(0);
  });

  test.skipIf(!root)('a disk that is full before the download, while it is unpacked, and while it is grown (needs root)', async () => {
    // Not below the home: what others start meanwhile has this mount in its namespaces, too.
    const small = await mkdtemp('/var/tmp/ingot-test-small-');
    const resize = (megabytes: number, ...more: string[]): Promise<unknown> =>
      hostProcesses.run(['mount', '-t', 'tmpfs', '-o', [`size=${Math.round(megabytes)}m`, ...more].join(','), 'ingot-test', small]);
    await resize(size / 2 ** 20 / 2);
    const env = { INGOT_HOME: join(small, 'home') };
    try {
      await lab.publish(TestHome.kept(hostPath(env.INGOT_HOME)));
      for (const [release, megabytes] of [
        [RELEASE, (size / 2 ** 20) * 0.5],
        ['debian-packed', (size / 2 ** 20) * 1.5],
        [RELEASE, (size / 2 ** 20) * 2.3 + 4],
      ] as const) {
        await resize(megabytes, 'remount');
        const { exitCode, stderr } = await home.ingot(['build', release, '--no-gate', '--yes', '--size', '4GiB'], { env });
        expect(stderr).toContain('disk-full');
        expect(exitCode).toBe(8);
        expect(await readdir(join(small, 'home', 'run'))).toEqual([]);
        expect(await home.ingot(['image', 'verify'], { env })).toMatchObject({ exitCode: 0 });
      }
      await resize(4096, 'remount');
      for (const release of [RELEASE, 'debian-packed']) {
        const { exitCode, stderr } = await home.ingot(['build', release, '--no-gate', '--yes', '--size', '4GiB'], { env });
        expect(exitCode, stderr).toBe(0);
      }
    } finally {
      await hostProcesses.run(['umount', '--lazy', small]);
      await rmdir(small);
    }
  });

  test('a mirror that sends elsewhere, slowly, and one that has nothing while another has it', async () => {
    lab.mirror.faults.set(FILE, { redirect: `${lab.mirror.url}/moved/whole.qcow2` });
    await copyFile(lab.file(DISK), join(lab.mirror.folder, 'whole.qcow2'));
    lab.mirror.faults.set('moved/whole.qcow2', { rate: 20 * 2 ** 20 });
    const moved = await build(RELEASE);
    expect(moved.exitCode, moved.stderr).toBe(0);
    lab.mirror.faults.clear();
    await home.ingot(['image', 'remove', RELEASE, '--all-tags', '--yes']);
    await home.ingot(['image', 'prune', '--yes']);
    lab.mirror.faults.set(`gone/${FILE}`, { status: 404 });
    await rm(join(home.root, 'cache', 'disks'), { recursive: true });
    const fallback = await build('debian-mirrored');
    expect(fallback.exitCode, fallback.stderr).toBe(0);
    expect(fallback.stderr).toMatch(/gone\/.*trying/);
  });

  test('an image that changes while it is downloaded is taken as it is in the end, never mixed', async () => {
    const state = { changed: false };
    lab.mirror.faults.set(FILE, {
      rate: 10 * 2 ** 20,
      onRequest: async () => {
        if (state.changed || lab.mirror.sent < size / 4) return;
        state.changed = true;
        await copyFile(lab.file('whole-disk'), lab.file(DISK));
        await lab.mirror.hash(FILE);
        await lab.mirror.publish();
      },
    });
    const before = join(lab.mirror.folder, 'before');
    await copyFile(lab.file(DISK), before);
    try {
      const { exitCode, stderr } = await build(RELEASE);
      expect(state.changed).toBe(true);
      expect(exitCode, stderr).toBe(0);
      expect(stderr).toMatch(/was replaced meanwhile|changed/);
    } finally {
      await copyFile(before, lab.file(DISK));
      await lab.mirror.hash(FILE);
      await lab.publish();
    }
  });

  test('what is wrong with a list, its signature or an image is told by name, and nothing is kept', async () => {
    const refused = async (code: string, release = RELEASE): Promise<string> => {
      const { exitCode, stderr } = await build(release);
      expect(stderr).toContain(code);
      expect(exitCode).toBe(7);
      expect(await readdir(join(home.root, 'cache', 'disks')).catch(() => [])).toEqual([]);
      return stderr;
    };
    await lab.mirror.publish({ change: (text) => text.replace(/^[0-9a-f]{8}/gm, 'deadbeef') });
    await refused('signature-wrong');
    const successor = await lab.mirror.makeSigner('successor');
    await lab.mirror.publish({ signer: successor });
    const rotated = await refused('signature-key-unknown');
    expect(rotated).toContain(successor.fingerprint);
    expect(rotated).toContain(lab.mirror.signer.fingerprint);
    const owner = lab.mirror.signer;
    lab.mirror.signer = await lab.mirror.makeSigner('expired', { made: '20200101T000000', days: 30 });
    await lab.publish(home);
    await refused('signature-key-expired');
    lab.mirror.signer = owner;
    await lab.publish(home);
    await writeFile(join(lab.mirror.folder, 'whole-disk.qcow2.zst'), 'another file');
    await refused('download-mismatch', 'debian-packed');
  });
});
