import { randomInt } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, traces, whyNot } from '../support.ts';

const KILLS = 6;
/** Seconds in which an export certainly is not done: the helper VM alone takes longer to open the disk. */
const LATEST = 8;
/** The kernel takes a moment to end a process tree. */
const MOMENT = 1;

/** What tells a machine from others. */
const IDENTITY = 'cat /etc/machine-id; sudo cat /etc/ssh/ssh_host_ed25519_key.pub; hostname';
const CHANGE = `
echo kept | sudo tee /srv/kept >/dev/null
sudo dpkg --purge curl >/dev/null 2>&1
echo 'debian:a-password' | sudo chpasswd
echo 'a typed secret' | sudo tee /root/.bash_history /home/debian/.bash_history >/dev/null
sync`;

const reason = whyNot();
const exportedSchema = z.object({
  digest: z.string(),
  layers: z.array(z.object({ name: z.string(), digest: z.string(), cached: z.boolean() })),
  gate: z.object({ result: z.string(), checks: z.array(z.object({ name: z.string(), result: z.string(), detail: z.string().optional() })) }),
});

describe.skipIf(reason !== undefined)(`export of VMs${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  const inGuest = async (name: string, script: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await home.ingot(['vm', 'exec', name, '--', 'sh', '-ec', script]);
    if (exitCode !== 0) throw new Error(`in ${name}: ${exitCode}: ${stdout}${stderr}`);
    return stdout.trim();
  };
  /** What is left on this host of an export: all but the machine itself. */
  const left = async (): Promise<string[]> => {
    const pid = z.object({ pid: z.int().optional() }).parse(await home.json(['vm', 'show', 'web'])).pid;
    return (await traces(home.root)).filter((trace) => !trace.startsWith(`process ${pid}:`));
  };

  beforeAll(async () => {
    home = await TestHome.make();
    await home.json(['build', 'debian-12', '--no-gate', '--yes']);
    await home.json(['vm', 'create', 'web', '--image', 'debian-12', '--memory', '768MiB', '--cpus', '1']);
    await inGuest('web', CHANGE);
  });
  afterAll(async () => {
    for (const name of ['web', 'again']) await home.ingot(['vm', 'delete', name, '--force']);
    await home[Symbol.asyncDispose]();
  });

  test('a running VM becomes an image that passes the gate, and a machine of its own', async () => {
    const before = await inGuest('web', IDENTITY);
    const exported = exportedSchema.parse(await home.json(['vm', 'export', 'web', '--as', 'my-image']));
    expect(exported.gate.checks.filter((check) => check.result !== 'passed')).toEqual([]);
    expect(exported.gate.result).toBe('passed');
    expect(exported.layers.map(({ cached }) => cached)).toEqual([true, false]);
    const base = z.object({ layers: z.array(z.object({ digest: z.string() })) }).parse(await home.json(['image', 'show', 'debian-12']));
    expect(exported.layers[0]?.digest).toBe(base.layers[0]?.digest);
    expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
    const shown = z.object({ config: z.looseObject({ 'dev.ingot.image': z.looseObject({ source: z.unknown(), layers: z.array(z.unknown()) }) }) });
    const { config } = shown.parse(await home.json(['image', 'show', 'my-image']));
    expect(config['dev.ingot.image'].source).toMatchObject({ vm: 'web', sealed: true });
    expect(config['dev.ingot.image'].layers.at(-1)).toMatchObject({ kind: 'vm', removed: ['curl'] });
    expect(await inGuest('web', IDENTITY)).toBe(before);

    await home.ingot(['vm', 'stop', 'web']);
    await home.json(['vm', 'create', 'again', '--image', 'my-image', '--memory', '768MiB', '--cpus', '1']);
    expect(await inGuest('again', 'cat /srv/kept; dpkg -s curl >/dev/null 2>&1 || echo gone; sudo cat /root/.bash_history 2>/dev/null || true')).toBe(
      'kept\ngone',
    );
    const [machine, key, hostname] = (await inGuest('again', IDENTITY)).split('\n');
    expect(hostname).toBe('again');
    expect(before).not.toContain(machine);
    expect(before).not.toContain(key);
    await home.ingot(['vm', 'delete', 'again', '--force']);
  });

  test('what an export made can be built upon, compared, and removed', async () => {
    expect(await home.ingot(['image', 'tree'])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('my-image') });
    expect(await home.ingot(['image', 'diff', 'debian-12', 'my-image'])).toMatchObject({ stdout: expect.stringContaining('curl') });
    const template = join(home.root, 'on.yaml');
    await writeFile(template, 'name: on-export\nfrom: { image: my-image }\nsteps:\n  - run: test "$(cat /srv/kept)" = kept\n');
    const built = z.object({ images: z.tuple([z.object({ layers: z.array(z.unknown()) })]) }).parse(await home.json(['build', template, '--no-gate']));
    expect(built.images[0].layers).toHaveLength(1);
  });

  test(`kill -9 of an export at ${KILLS} moments leaves nothing, and the VM as it was`, async () => {
    await home.ingot(['vm', 'start', 'web']);
    await inGuest('web', 'true');
    for (let i = 0; i < KILLS; i++) {
      const running = home.start(['vm', 'export', 'web', '--as', 'killed', '--no-gate', '--quiet']);
      await sleep(i < KILLS / 2 ? randomInt(200, 2500) : randomInt(2500, LATEST * 1000));
      running.kill('SIGKILL');
      expect((await running.ended).signal, 'the export was done before it was killed').toBe('SIGKILL');
      await sleep(MOMENT * 1000);
      // A guest that is frozen would never come back from this.
      expect(await inGuest('web', 'date | sudo tee /srv/written >/dev/null; sync; cat /srv/kept'), `after kill ${i + 1}`).toBe('kept');
      expect(await left(), `after kill ${i + 1}`).toEqual([]);
      expect(await readdir(join(home.root, 'run'))).toEqual([]);
    }
    expect(await home.ingot(['image', 'verify'])).toMatchObject({ exitCode: 0 });
    expect(await home.ingot(['image', 'show', 'killed'])).toMatchObject({ exitCode: 3 });
  });

  test('a guest without agent says which ways are left, and --stop brings it back', async () => {
    await inGuest('web', 'sudo systemctl stop qemu-guest-agent');
    expect(await home.ingot(['vm', 'export', 'web', '--as', 'other', '--no-gate'])).toMatchObject({
      exitCode: 5,
      stderr: expect.stringMatching(/agent-missing[^]*--crash-consistent/),
    });
    const { layers } = exportedSchema
      .pick({ layers: true })
      .parse(await home.json(['vm', 'export', 'web', '--as', 'other', '--no-gate', '--stop', '--timeout', '600']));
    expect(layers).toHaveLength(2);
    expect(await inGuest('web', 'cat /srv/kept')).toBe('kept');
  });
});
