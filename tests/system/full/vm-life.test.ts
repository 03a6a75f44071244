import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostProcesses } from '../../../src/base/process.ts';
import { parseName } from '../../../src/base/types.ts';
import { guestFiles } from '../../../src/platforms/local/guest-spec.ts';
import { vmState } from '../../../src/platforms/local/machine-state.ts';
import { holdVm, resumeLocked, startLocked } from '../../../src/platforms/local/power.ts';
import { QmpClient } from '../../../src/platforms/local/qmp.ts';
import { machineLab, noMachines } from '../../support/machine-lab.ts';

const web = parseName('web', 'a VM');
const why = noMachines() ?? (process.platform === 'linux' && userInfo().uid === 0 ? undefined : 'needs root, to mount a small filesystem');

/**
 * A system of one sector (x86, real mode): writes 32 KiB after 32 KiB to the disk it was started from, by the BIOS, for ever.
 *
 *     xor ax, ax / mov ds, ax
 *     again: mov si, packet / mov ax, 0x4300 / mov dl, 0x80 / int 0x13
 *     add word [packet + 8], 64 / adc word [packet + 10], 0 / jmp again
 */
function writingSystem(): Buffer {
  const sector = Buffer.alloc(512);
  sector.set(Buffer.from('31c08ed8be207cb80043b280cd138106287c400083162a7c00ebe9', 'hex'), 0);
  // The packet: its size, 64 sectors, from 0x1000:0, to sector 2048 at first.
  sector.set(Buffer.from('10004000000000100008000000000000', 'hex'), 32);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

describe.skipIf(why !== undefined)(`the host's disk is full while a VM writes${why === undefined ? '' : ` (not run: ${why})`}`, () => {
  test('it pauses, says so, and goes on when there is room again', async () => {
    await using at = await machineLab();
    const { home } = at.lab.home;
    await using mounted = new AsyncDisposableStack();
    await at.start('web', { start: false });
    const folder = home.vm(web);
    const files = await Promise.all(
      (await at.host.files.list(folder)).map(async (name) => [join(folder, name), await at.host.files.read(join(folder, name))] as const),
    );
    await hostProcesses.run(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]);
    mounted.defer(async () => void (await hostProcesses.run(['umount', '--lazy', folder])));
    for (const [path, content] of files) await at.host.files.write(path, content, { mode: 0o600 });
    {
      await using held = await holdVm(at.context, web, 'a test');
      await startLocked(at.context, held.vm, { force: true });
    }
    const ballast = join(folder, 'ballast');
    await at.host.files.write(ballast, Buffer.alloc(8 * 2 ** 20));
    const system = join(home.run, 'system');
    await at.host.files.write(system, writingSystem());
    const { qmp: socket } = guestFiles(folder);
    {
      using qmp = await QmpClient.connect(socket);
      const write = `qemu-io -d /machine/peripheral/disk-root/virtio-backend "write -s ${system} 0 512"`;
      await qmp.execute('human-monitor-command', { 'command-line': write }, 30);
      await qmp.execute('system_reset');
    }
    const state = async (): Promise<string> => (await vmState(at.context, await at.load(web), 5)).state;
    const until = async (wanted: string, seconds: number): Promise<void> => {
      for (const end = Date.now() + seconds * 1000; (await state()) !== wanted && Date.now() < end;) await at.host.clock.sleep(0.2);
      expect(await state()).toBe(wanted);
    };
    await until('disk-full', 120);
    const resume = async () => {
      await using held = await holdVm(at.context, web, 'a test');
      return await resumeLocked(at.context, held.vm, { force: false });
    };
    await expect(resume()).rejects.toMatchObject({ code: 'still-disk-full', class: 'space' });
    await at.host.files.remove(ballast);
    expect(await resume()).toBe('disk-full');
    // With the ballast gone it goes on, until that room is full too.
    await until('disk-full', 120);
    const used = (await at.host.files.status(join(folder, `${(await at.load(web)).disks[0]?.active}.qcow2`)))?.allocated ?? 0;
    expect(used).toBeGreaterThan(10 * 2 ** 20);
  });
});
