import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, traces, whyNot } from '../support.ts';

const PLAYBOOK = `
- hosts: web
  become: true
  tasks:
    - assert: { that: [ansible_distribution == 'Debian', ansible_service_mgr == 'systemd'] }
    - copy: { content: "{{ greeting }}\\n", dest: /etc/greeting, mode: '0640' }
    - copy: { src: files/blob, dest: /usr/local/blob }
    - name: what one task leaves in /tmp is there for the next
      shell: echo kept >/tmp/kept
    - command: grep kept /tmp/kept
    - service: { name: ssh, state: started, enabled: true }
    - debug: { msg: "the secret is {{ lookup('env', 'TOKEN') }}" }
    - name: neither a local action nor a delegation leaves the image
      local_action: command test -f /etc/greeting
    - command: test -f /etc/greeting
      delegate_to: 192.0.2.1
    - debug: { msg: "{{ lookup('pipe', 'ls -d /home /root /srv /var 2>/dev/null | wc -l') }} folders of the host" }
`;

const CHECK = `
[ "$(cat /etc/greeting)" = hello ] && [ "$(stat -c %a /etc/greeting)" = 640 ]
[ "$(tr -d '\\007' </usr/local/blob | wc -c)" = 0 ] && [ "$(stat -c %s /usr/local/blob)" = 5000000 ]
[ ! -e /root/.ansible ] && [ ! -e /tmp/kept ] && [ ! -e /usr/sbin/policy-rc.d ]
`;

const reason = whyNot() ?? (existsSync('/usr/bin/ansible-playbook') ? undefined : 'ansible-playbook is not installed');
const why = whyNot();

describe.skipIf(why !== undefined)(`steps that run programs${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let home: TestHome;
  let folder: string;
  const template = async (name: string, text: string): Promise<string> => {
    const path = join(folder, `${name}.yaml`);
    await writeFile(path, `name: ${name}\n${text}`);
    return path;
  };

  beforeAll(async () => {
    home = await TestHome.make();
    folder = join(home.root, 'work');
    await mkdir(join(folder, 'files'), { recursive: true });
    await writeFile(join(folder, 'token'), 'a-secret-that-nobody-sees');
    await home.json(['secret', 'set', 'token', '--from-file', join(folder, 'token')]);
    await rm(join(folder, 'token'));
    await home.json(['build', 'debian-12', '--no-gate', '--yes']);
  });

  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  describe.skipIf(reason !== undefined)(`ansible${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
    test('a playbook changes the image, and nothing else', async () => {
      await writeFile(join(folder, 'site.yml'), PLAYBOOK);
      await writeFile(join(folder, 'files', 'blob'), Buffer.alloc(5_000_000, 7));
      const steps = `steps:\n  - ansible: site.yml\n    variables: { greeting: hello }\n    secrets: { TOKEN: token }\n  - run: |\n${CHECK.trim().replaceAll(/^/gm, '      ')}\n`;
      const path = await template('playbook', `from: { image: debian-12 }\n${steps}`);
      const { exitCode, stderr } = await home.ingot(['build', path, '--offline', '--no-gate', '--verbose']);
      expect([exitCode, exitCode === 0 ? '' : stderr]).toEqual([0, '']);
      expect(stderr).toContain('the secret is ***');
      expect(stderr).not.toContain('a-secret-that-nobody-sees');
      expect(stderr).toContain('0 folders of the host');
    });

    test('a failing task is named, and a playbook for nobody is refused', async () => {
      await writeFile(join(folder, 'bad.yml'), '- hosts: all\n  tasks:\n    - name: Look nowhere\n      command: ls /nowhere\n');
      const bad = await home.ingot(['build', await template('bad', 'from: { image: debian-12 }\nsteps: [{ ansible: bad.yml }]\n'), '--offline', '--no-gate']);
      expect(bad.exitCode).toBe(9);
      expect(bad.stderr).toMatch(/the task "Look nowhere" of bad.yml failed[^]*cannot access[^]*--debug-shell/);
      await writeFile(join(folder, 'idle.yml'), '- hosts: "none*"\n  tasks:\n    - command: "true"\n');
      const idle = await home.ingot([
        'build',
        await template('idle', 'from: { image: debian-12 }\nsteps: [{ ansible: idle.yml }]\n'),
        '--offline',
        '--no-gate',
      ]);
      expect(idle.exitCode).toBe(2);
      expect(idle.stderr).toContain('playbook-idle');
    });
  });

  test('a booted step meets a running system without a network, and leaves nothing else', async () => {
    // QEMU's user network shows the host's own address as 10.0.2.2: a server that really listens there.
    await using server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const run = `
set -e
systemctl is-active dbus ssh
[ "$TOKEN" = a-secret-that-nobody-sees ] && [ "$PLAIN" = "it's plain" ]
if timeout 5 bash -c '</dev/tcp/10.0.2.2/${port}'; then echo the host was reached; exit 1; fi
[ -z "$(getent passwd debian)" ]
echo here >/etc/booted`;
    const step = `steps:\n  - booted: true\n    env: { PLAIN: "it's plain" }\n    secrets: { TOKEN: token }\n    run: |\n${run.trim().replaceAll(/^/gm, '      ')}\n`;
    await home.json(['build', await template('booted', `from: { image: debian-12 }\n${step}`), '--offline', '--gate', 'quick', '--yes']);
    const difference = JSON.stringify(await home.json(['image', 'diff', 'debian-12', 'booted', '--files']));
    expect(difference).toContain('/etc/booted');
    for (const left of ['/etc/ssh/ssh_host', '/var/lib/cloud', '/root/.ssh/authorized_keys', '/etc/hostname', '/etc/hosts', 'random-seed', '/etc/netplan']) {
      expect(difference).not.toContain(left);
    }
  });

  test('a booted step that fails shows its last lines and keeps nothing', async () => {
    const path = await template('fails', 'from: { image: debian-12 }\nsteps:\n  - { run: "seq 40; exit 3", booted: true }\n');
    const { exitCode, stderr } = await home.ingot(['build', path, '--offline', '--no-gate']);
    expect(exitCode).toBe(9);
    expect(stderr).toMatch(/ended with exit code 3[^]*\n\s*21\n[^]*\n\s*40\n/);
    expect(stderr).not.toMatch(/\n\s*20\n/);
    expect((await home.ingot(['image', 'show', 'fails'])).exitCode).toBe(3);
  });

  test('an exported disk is a base: taken in once, read, and never opened on this host', async () => {
    const disk = join(folder, 'my disk.qcow2');
    await home.json(['image', 'export', 'debian-12', disk]);
    const path = await template('on-disk', `from: { file: "./my disk.qcow2" }\nsteps: [{ run: "echo x >/etc/on-top" }]\n`);
    await home.json(['build', path, '--no-gate', '--yes', '--workspace', 'host']);
    const images = JSON.stringify(await home.json(['image', 'list']));
    expect(images).toMatch(/"name":"my-disk","tag":"file-[0-9a-f]{12}"/);
    // Its content is known: no more than its name, size and date are looked at.
    const again = await home.ingot(['build', path, '--offline', '--no-gate']);
    expect(again.exitCode).toBe(0);
    const bytes = await readFile(disk);
    bytes.writeBigUInt64BE(4n, 72);
    await writeFile(disk, bytes);
    const hostile = await home.ingot(['build', path, '--offline', '--no-gate']);
    expect(hostile.exitCode).toBe(7);
    expect(hostile.stderr).toContain('qcow2-invalid');
  });
});
