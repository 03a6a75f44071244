import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostProcesses, type CommandResult } from '../../../src/base/process.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/*
 * What a VM is made of, all in one machine, since each boot takes minutes where there is no KVM: Secure Boot and a TPM, disks, shared folders, forwards,
 * keys, a password, and the user's cloud-init files beside ingot's. INGOT_TEST_HOME is a home that is kept, with its image.
 */

const PASSWORD = "a pass'word $HOME";
const viewSchema = z.object({
  pid: z.int().optional(),
  ssh: z.object({ port: z.int(), password: z.boolean() }),
  forwards: z.array(z.object({ host: z.int(), guest: z.int() })),
  extraDisks: z.array(z.object({ name: z.string() })),
  shares: z.array(z.object({ kind: z.string() })),
  tpm: z.boolean(),
});

const reason = whyNot();

describe.skipIf(reason !== undefined)(`what a VM is made of${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const kept = process.env['INGOT_TEST_HOME'];
  let home: TestHome;
  let folder = '';
  const at = (...parts: string[]): string => join(folder, ...parts);

  async function guest(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await home.ingot(['vm', 'exec', 'dev', '--', 'sudo', 'sh', '-ec', script]);
    if (exitCode !== 0) throw new Error(`${script}\nended with ${exitCode}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  const show = async (): Promise<z.output<typeof viewSchema>> => viewSchema.parse(await home.json(['vm', 'show', 'dev']));

  /** Logs in as somebody who has neither ingot's key nor its settings. */
  async function login(options: readonly string[], password?: string): Promise<CommandResult> {
    const { ssh } = await show();
    const settings = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', ...options].flatMap((option) => ['-o', option]);
    return await hostProcesses.run(['ssh', '-F', 'none', ...settings, '-p', String(ssh.port), 'debian@127.0.0.1', 'id', '-un'], {
      env: { SSH_ASKPASS: at('askpass'), SSH_ASKPASS_REQUIRE: 'force', ANSWER: password ?? '' },
      timeout: 300,
      accept: [255],
    });
  }
  const byPassword = (password: string): Promise<CommandResult> =>
    login(['PreferredAuthentications=password', 'PubkeyAuthentication=no', 'NumberOfPasswordPrompts=1'], password);

  beforeAll(async () => {
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    folder = await mkdtemp('/var/tmp/ingot-test-devices-');
    await Promise.all(['src', 'doc'].map((name) => mkdir(at(name))));
    await writeFile(at('src', 'there'), 'from the host');
    await writeFile(at('doc', 'there'), 'from the host');
    await writeFile(at('askpass'), '#!/bin/sh\nprintf "%s\\n" "$ANSWER"\n', { mode: 0o700 });
    await writeFile(at('user.yaml'), '#cloud-config\nwrite_files: [{ path: /user-data, content: x }]\n');
    await writeFile(at('vendor.sh'), '#!/bin/sh\ntouch /vendor-data\n');
    await writeFile(at('net.yaml'), 'version: 2\nethernets:\n  all: { match: { name: "e*" }, dhcp4: true, addresses: [10.0.2.77/24] }\n');
    await hostProcesses.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at('key')]);
    const create = [
      ...['vm', 'create', 'dev', '--image', 'debian-12', '--cpus', '1', '--memory', '768MiB', '--firmware', 'uefi-secure', '--tpm'],
      ...['--extra-disk', 'data=2GiB', '--forward', '80', '--share', `${at('src')}:/srv/src`, '--share', `${at('doc')}:/srv/doc:ro`],
      ...['--user-data', at('user.yaml'), '--vendor-data', at('vendor.sh'), '--network-config', at('net.yaml'), '--ssh-key', at('key.pub')],
    ];
    await home.json(['build', 'debian-12', '--yes']);
    const context = await home.context();
    await context.host.files.write(at('password'), `${PASSWORD}\n`, { mode: 0o600 });
    await home.json(['secret', 'set', 'dev-login', '--from-file', at('password')]);
    await home.json([...create, '--password-secret', 'dev-login']);
    await guest('cloud-init status --wait');
  });

  afterAll(async () => {
    await home.ingot(['vm', 'delete', 'dev', '--force']);
    expect(await traces(join(home.root, 'vms'))).toEqual([]);
    await rm(folder, { recursive: true, force: true });
    if (kept === undefined) await home[Symbol.asyncDispose]();
  });

  test('is all shown', async () => {
    expect(await show()).toMatchObject({
      ssh: { password: true },
      forwards: [{ guest: 80 }],
      extraDisks: [{ name: 'data' }],
      shares: [{ kind: 'virtiofs' }, { kind: 'virtiofs' }],
      tpm: true,
    });
  });

  test('Secure Boot is on, and there is a TPM 2.0', async () => {
    expect(await guest('od -An -t u1 -j 4 -N 1 /sys/firmware/efi/efivars/SecureBoot-*')).toBe('1');
    expect(await guest('cat /sys/class/tpm/tpm0/tpm_version_major')).toBe('2');
  });

  test("the user's cloud-init files apply beside ingot's", async () => {
    expect(await guest('ls /user-data /vendor-data')).toBe('/user-data\n/vendor-data');
    expect(await guest('hostname; grep -Ec "^127.0.1.1[[:space:]]+dev" /etc/hosts; ip -4 -o addr | grep -c 10.0.2.77/24')).toBe('dev\n1\n1');
  });

  test('another key and the password let in, and a wrong one does not', async () => {
    expect((await login([`IdentityFile=${at('key')}`, 'IdentitiesOnly=yes'])).stdout).toBe('debian\n');
    expect((await byPassword(PASSWORD)).stdout).toBe('debian\n');
    expect(await byPassword(`${PASSWORD}!`)).toMatchObject({ exitCode: 255, stderr: expect.stringContaining('Permission denied') });
    const vm = join(home.root, 'vms', 'dev');
    expect(await readFile(join(vm, 'vm.json'), 'utf8')).not.toMatch(/\$6\$|pass'word/);
    expect((await readFile(join(vm, 'seed.img'))).includes("pass'word")).toBe(false);
  });

  test('a shared folder is written from both sides, a read-only one from the host alone', async () => {
    expect(await guest('cat /srv/src/there /srv/doc/there; echo guest >/srv/src/back')).toBe('from the hostfrom the host');
    expect(await readFile(at('src', 'back'), 'utf8')).toBe('guest\n');
    await expect(guest('mount -o remount,rw /srv/doc; touch /srv/doc/x')).rejects.toThrow(/Read-only|read-only/);
  });

  test('disks come and go while it runs', async () => {
    await guest('mkfs.ext4 -q /dev/disk/by-id/virtio-data && mkdir -p /data && mount /dev/disk/by-id/virtio-data /data && touch /data/kept');
    expect(await home.json(['vm', 'disk', 'dev', 'add', 'more=1GiB'])).toMatchObject({ effect: 'now' });
    await guest('udevadm settle; test "$(blockdev --getsize64 /dev/disk/by-id/virtio-more)" = 1073741824');
    expect((await home.ingot(['vm', 'disk', 'dev', 'remove', 'data'])).stderr).toContain('dev uses the disk data: /data');
    await home.json(['vm', 'disk', 'dev', 'remove', 'more']);
    await guest('udevadm settle; test ! -e /dev/disk/by-id/virtio-more');
  });

  test('forwards lead into it, and come and go while it runs', async () => {
    const serve = (port: number): Promise<string> =>
      guest(
        `systemd-run --quiet --unit served-${port} python3 -m http.server --directory /srv/src ${port}; until grep -q ":$(printf %04X ${port}) " /proc/net/tcp; do sleep 1; done`,
      );
    const get = async (port = 0): Promise<string> => await (await fetch(`http://127.0.0.1:${port}/there`)).text();
    await serve(80);
    await serve(8000);
    const [chosen] = (await show()).forwards;
    expect(await get(chosen?.host)).toBe('from the host');
    const server = createServer().listen(29_891, '127.0.0.1');
    expect((await home.ingot(['vm', 'forward', 'dev', 'add', '29891:8000'])).stderr).toContain('Port 29891 of 127.0.0.1 is taken by another program');
    await new Promise((resolve) => server.close(resolve));
    await home.json(['vm', 'forward', 'dev', 'add', '29891:8000']);
    expect(await get(29_891)).toBe('from the host');
    await home.json(['vm', 'forward', 'dev', 'remove', '29891']);
    await expect(get(29_891)).rejects.toThrow('fetch failed');
  });

  test('after a stop and a start all is there again, the TPM with what it knew', async () => {
    const identity = 'cat /sys/class/tpm/tpm0/pcr-sha256/0; cat /srv/src/there; findmnt -no FSTYPE /srv/src';
    const before = await guest(identity);
    await home.json(['vm', 'stop', 'dev', '--timeout', '600']);
    expect(await traces(join(home.root, 'vms'))).toEqual([]);
    await home.json(['vm', 'start', 'dev']);
    await guest('until findmnt /srv/src >/dev/null; do sleep 1; done');
    expect(await guest(identity)).toBe(before);
    await guest('mount /dev/disk/by-id/virtio-data /data && test -e /data/kept');
  });

  test('its end takes with it whatever was started for it', async () => {
    const { pid = 0 } = await show();
    process.kill(pid, 'SIGKILL');
    for (let tries = 0; tries < 50 && (await traces(join(home.root, 'vms'))).length > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await traces(join(home.root, 'vms'))).toEqual([]);
  });
});
