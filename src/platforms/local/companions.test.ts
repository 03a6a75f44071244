import { mkdtemp, rm, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realHost } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import { hostPath } from '../../base/types.ts';
import { withCompanions, type Companion } from './companions.ts';
import { guestFiles, type GuestFiles } from './guest-spec.ts';
import { launch } from './launch.ts';
import { endQemu, runningQemu } from './qemu-process.ts';

const FAKE_QEMU = fileURLToPath(new URL('../../../tests/support/fake-qemu.ts', import.meta.url));
const FAKE_COMPANION = fileURLToPath(new URL('../../../tests/support/fake-companion.ts', import.meta.url));
const host = realHost();
let folder: string;
let files: GuestFiles;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'companions-'));
  files = guestFiles(hostPath(folder));
});
afterEach(async () => {
  const pid = await runningQemu(host, files.pid);
  if (pid !== undefined) await endQemu(host, files.pid, pid);
  await rm(folder, { recursive: true });
});

const qemu = (): Argv => [process.execPath, FAKE_QEMU, files.qmp, 'deaf', '-pidfile', files.pid];
const companion = (tag: string, ...more: string[]): Companion => {
  const socket = files.share(tag);
  return { socket, argv: [process.execPath, FAKE_COMPANION, socket, ...more] };
};

async function pidOf(tag: string): Promise<number> {
  return Number(await readFile(`${files.share(tag)}.pid`, 'utf8'));
}

async function runs(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return status !== '' && !/\) [ZX] /.test(status);
}

async function untilGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100 && (await runs(pid)); tries++) await host.clock.sleep(0.05);
  return !(await runs(pid));
}

describe.runIf(process.platform === 'linux')('programs beside QEMU', () => {
  test('nothing is started where there are none', () => {
    expect(withCompanions([], qemu())).toEqual(qemu());
  });

  test('listen before it starts, get their words as they are, and end with it', async () => {
    const words = ['a b', "'", '$HOME', '', '*'];
    const { pid } = await launch(host, files, withCompanions([companion('share0', ...words), companion('share1')], qemu()), 'detached');
    expect(await runningQemu(host, files.pid)).toBe(pid);
    const pids = await Promise.all(['share0', 'share1'].map(pidOf));
    expect(JSON.parse(await readFile(`${files.share('share0')}.words`, 'utf8'))).toEqual(words);
    for (const each of pids) expect(await runs(each)).toBe(true);
    await endQemu(host, files.pid, pid);
    for (const each of pids) expect(await untilGone(each)).toBe(true);
  });

  test('one that fails stops the start, with its own words', async () => {
    const start = launch(host, files, withCompanions([companion('share0'), companion('share1', 'fail')], qemu()), 'detached');
    await expect(start).rejects.toMatchObject({ code: 'qemu-failed', detail: expect.stringContaining('the companion cannot') });
    expect(await untilGone(await pidOf('share0'))).toBe(true);
    expect(await runningQemu(host, files.pid)).toBeUndefined();
  });
});
