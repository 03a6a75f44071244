import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, traces, whyNot } from '../support.ts';

const imageSchema = z.object({
  name: z.string(),
  status: z.string(),
  layers: z.array(z.object({ name: z.string(), cached: z.boolean() })).optional(),
});
const builtSchema = z.object({ images: z.array(imageSchema) });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional(), detail: z.string().optional() }) });

const reason = whyNot();

describe.skipIf(reason !== undefined)(`templates${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder = '';

  /** Writes a template and returns its file. */
  async function template(name: string, content: object): Promise<string> {
    const file = join(folder, `${name}.yaml`);
    await writeFile(file, stringify({ from: 'debian-12', ...content }));
    return file;
  }

  async function build(files: readonly string[], ...flags: string[]): Promise<z.output<typeof builtSchema>> {
    return builtSchema.parse(await home.json(['build', ...files, '--no-gate', '--yes', '--offline', ...flags]));
  }

  /** Builds what must fail; returns the error, as a program gets it. */
  async function failure(file: string, env: Readonly<Record<string, string>> = {}): Promise<z.output<typeof errorSchema>['error'] & { all: string }> {
    const { exitCode, stdout, stderr } = await home.ingot(['build', file, '--no-gate', '--yes', '--offline', '--json'], { env });
    expect(exitCode, stdout).not.toBe(0);
    const document = stderr.split('\n').findLast((line) => line.startsWith('{"error"'));
    return { ...errorSchema.parse(JSON.parse(document ?? '{}')).error, all: `${stdout}${stderr}` };
  }

  /** Runs commands in an image, by a step that tells what it finds. */
  async function look(image: string, commands: string): Promise<string> {
    const { all } = await failure(await template('look', { name: 'look', from: image, steps: [{ run: `${commands}\nexit 9` }] }));
    return all;
  }

  beforeAll(async () => {
    home = await TestHome.make();
    folder = join(home.root, 'my-templates');
    await mkdir(join(folder, 'site'), { recursive: true });
    await writeFile(join(folder, 'site', 'index.html'), '<h1>hello</h1>\n');
    await symlink('index.html', join(folder, 'site', 'latest.html'));
    const base = await home.ingot(['build', 'debian-12', '--no-gate', '--yes', '--allow-expired-metadata']);
    expect(base.exitCode, base.stderr).toBe(0);
  });

  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    expect(await readdir(join(home.root, 'run'))).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test('each part is a layer; only what changed, and what stands on it, is made again', async () => {
    const steps = (last: string): object[] => [
      { file: '/etc/motd', content: 'hello\n' },
      { copy: 'site', to: '/srv/site', owner: 'www-data:www-data' },
      { service: 'systemd-timesyncd', state: 'disabled' },
      { run: 'id deploy; test "$(stat -c %U /srv/site/index.html)" = www-data; test "$(readlink /srv/site/latest.html)" = index.html' },
      { run: last },
    ];
    const content = {
      name: 'web',
      users: [{ name: 'deploy', sudo: true, 'ssh-keys': ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO3kVzdWuZCXSWk3IfQmpRGiqY1ea+9eLBEZQzWXXPpe deploy'] }],
      system: { timezone: 'Europe/Zurich', 'kernel-arguments': ['quiet'] },
    };
    const cachedLayers = (built: z.output<typeof builtSchema>): boolean[] | undefined => built.images[0]?.layers?.map(({ cached }) => cached);
    const first = await build([await template('web', { ...content, steps: steps('echo 1 >/etc/last') })]);
    expect(cachedLayers(first)).toEqual([true, ...Array.from({ length: 7 }, () => false)]);
    expect(cachedLayers(await build([join(folder, 'web.yaml')]))).toEqual(Array.from({ length: 8 }, () => true));
    const changed = await build([await template('web', { ...content, steps: steps('echo 2 >/etc/last') })]);
    expect(cachedLayers(changed)).toEqual([...Array.from({ length: 7 }, () => true), false]);
    const found = await look('web', 'cat /etc/last; readlink /etc/localtime; grep -o quiet /boot/grub/grub.cfg; grep -c loop /boot/grub/grub.cfg || true');
    expect(found).toContain('2\\n/usr/share/zoneinfo/Europe/Zurich\\nquiet\\n0');
  });

  test('a daemon that a step leaves is ended with it', async () => {
    await build([await template('daemon', { steps: [{ run: 'setsid sh -c "while true; do date >/etc/alive; sleep 0.1; done" & sleep 0.5' }] })]);
    expect(await look('daemon', 'before=$(cat /etc/alive); sleep 1; [ "$before" = "$(cat /etc/alive)" ] && echo it is dead')).toContain('it is dead');
  });

  test.each([
    ['mounts', 'mount -t tmpfs none /mnt', 'step-failed', 'permission denied'],
    ['device-nodes', 'mknod /disk b 8 0', 'step-failed', 'Operation not permitted'],
    ['too-late', 'echo working; sleep 100', 'step-timeout', 'did not end within 2 s'],
    ['full-disk', 'fallocate --length 9GiB /big', 'image-full', 'No space left on device'],
    ['no-network', 'python3 -c "import socket; socket.create_connection((\'192.0.2.1\', 80), 3)"', 'step-failed', 'Network is unreachable'],
  ])('%s: refused or ended, and told', async (name, run, code, text) => {
    const error = await failure(await template(name, { steps: [{ run, timeout: name === 'too-late' ? '2s' : '5m' }] }));
    expect(error.code).toBe(code);
    expect(`${error.message}\n${error.detail}`).toContain(text);
    expect(error.hint).toMatch(/--debug-shell|disk/);
    expect(await traces(home.root)).toEqual([]);
  });

  test('a failing step shows its last 20 lines and the command that opens a shell there', async () => {
    const error = await failure(await template('fail', { steps: [{ run: 'seq 100; false' }] }));
    expect(error.detail?.split('\n').slice(-20)).toEqual(Array.from({ length: 20 }, (_, i) => String(i + 81)));
    expect(error.hint).toContain('fail.yaml --debug-shell');
  });

  test('a link to the accounts planted where ingot writes leads nowhere', async () => {
    const before = await readFile('/etc/shadow', 'utf8');
    await build([
      await template('links', {
        steps: [
          { run: 'ln -sf /etc/shadow /etc/motd; ln -sfn /etc/shadow /etc/machine-id; ln -sfn / /srv/root' },
          { file: '/etc/motd', content: 'hello\n' },
          { copy: 'site', to: '/srv/root/srv/site' },
        ],
      }),
    ]);
    expect(await readFile('/etc/shadow', 'utf8')).toBe(before);
    expect(await look('links', 'grep -c ^root: /etc/shadow; cat /etc/motd; test -f /etc/machine-id; test ! -L /etc/machine-id; ls /srv/site')).toContain(
      '1\\nhello\\nindex.html',
    );
  });

  test('a secret is in no layer, log or error', async () => {
    const value = 'correct-horse-battery';
    const error = await failure(
      await template('secret', { steps: [{ run: 'echo "it is $TOKEN"; echo "$TOKEN" | base64; false', secrets: { TOKEN: 'token' } }] }),
      {
        INGOT_SECRET_TOKEN: value,
      },
    );
    expect(error.detail).toContain('it is ***');
    expect(error.all).not.toContain(value);
    expect(error.all).not.toContain(Buffer.from(value).toString('base64').slice(0, 20));
    for (const name of await readdir(join(home.root, 'logs'), { recursive: true, withFileTypes: true })) {
      if (name.isFile()) expect(await readFile(join(name.parentPath, name.name), 'latin1')).not.toContain(value);
    }
  });

  test('an image that fails stops no other', async () => {
    const good = await template('good', { steps: [{ run: 'echo good >/etc/good' }] });
    const bad = await template('bad', { steps: [{ run: 'false' }] });
    const { exitCode, stdout } = await home.ingot(['build', bad, good, '--no-gate', '--yes', '--offline', '--json']);
    expect(exitCode).not.toBe(0);
    expect(builtSchema.parse(JSON.parse(stdout)).images.map(({ name, status }) => `${name} ${status}`)).toEqual(['bad failed', 'good built']);
  });

  test('what is locked is built, and what the lock does not know is told', async () => {
    const file = await template('locked', { steps: [{ run: 'true' }] });
    await home.json(['lock', file, '--offline']);
    expect((await build([file], '--frozen')).images[0]?.status).toBe('built');
    await template('locked', { packages: ['hello'], steps: [{ run: 'true' }] });
    const { stderr } = await home.ingot(['build', file, '--frozen', '--no-gate', '--json']);
    expect(stderr).toContain('"code":"lock-stale"');
    expect(stderr).toContain('hello');
  });
});
