import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, whyNot } from '../support.ts';

/** What no two machines of an image may share, and how root asks for it. */
const SECRETS: Readonly<Record<string, string>> = {
  'identifier of the PostgreSQL cluster': "runuser -u postgres -- psql -Atc 'SELECT system_identifier FROM pg_control_system()'",
  'password of a PostgreSQL user': 'cat /root/postgresql/shop',
  'key of PostgreSQL': 'cat /etc/ssl/private/ssl-cert-snakeoil.key',
  'password of a MariaDB user': 'cat /root/mariadb/shop',
  'password of Redis': 'cat /root/redis/password',
  'key of the web server': 'cat /etc/ssl/webserver/key.pem',
};

const template = {
  from: 'debian-13',
  roles: [{ 'database-postgresql': { databases: ['shop'] } }, { 'database-mariadb': { databases: ['shop'] } }, 'redis', { webserver: { tls: 'self-signed' } }],
};

const reason = whyNot();

describe.skipIf(reason !== undefined)(`two machines of one image${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    const file = join(home.root, 'clones.yaml');
    await writeFile(file, JSON.stringify(template));
    await home.json(['build', file, '--no-gate', '--yes']);
  });

  afterAll(async () => {
    for (const name of ['one', 'two']) await home.ingot(['vm', 'delete', name, '--yes']);
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  test('have secrets and identifiers of their own', async () => {
    const found = new Map<string, string[]>();
    for (const name of ['one', 'two']) {
      await home.json(['vm', 'create', name, '--image', 'clones', '--memory', '2GiB']);
      const { stdout } = await home.ingot(['vm', 'exec', name, '--', 'sudo', 'systemctl', 'is-system-running', '--wait'], { timeout: 1700 });
      expect(stdout.trim(), name).toBe('running');
      for (const [what, command] of Object.entries(SECRETS)) {
        const answer = await home.ingot(['vm', 'exec', name, '--', 'sudo', 'sh', '-c', command]);
        expect(answer.exitCode, `${what}: ${answer.stderr}`).toBe(0);
        expect(answer.stdout.trim(), what).not.toBe('');
        found.set(what, [...(found.get(what) ?? []), answer.stdout.trim()]);
      }
      await home.json(['vm', 'delete', name, '--yes']);
    }
    expect([...found].filter(([, answers]) => new Set(answers).size < 2).map(([what]) => what)).toEqual([]);
  });
});
