import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { accounts } from './accounts.ts';

const folder = mkdtempSync(join(tmpdir(), 'ingot-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the check on these accounts: name, hash, and whether there are SSH keys. */
function check(list: readonly (readonly [string, string, boolean])[], facts: Readonly<Record<string, string>> = {}): string[] {
  for (const [name, , keys] of list) {
    mkdirSync(join(folder, name, '.ssh'), { recursive: true });
    writeFileSync(join(folder, name, '.ssh/authorized_keys'), keys ? 'ssh-ed25519 AAAA' : '');
  }
  writeFileSync(join(folder, 'shadow'), list.map(([name, hash]) => `${name}:${hash}:1::::::\n`).join(''));
  writeFileSync(join(folder, 'passwd'), list.map(([name]) => `${name}:x:1:1::${join(folder, name)}:/bin/sh\n`).join(''));
  const script = accounts.script.replace('/etc/shadow', join(folder, 'shadow')).replace('/etc/passwd', join(folder, 'passwd'));
  return execFileSync('sh', [], { input: script, encoding: 'utf8', env: { PATH: process.env['PATH'], ...facts } })
    .trim()
    .split('\n')
    .map((line) => line.replace(`${folder}/`, ''));
}

test('passwords and keys are for those whom the template gave them; a login without either is for nobody', () => {
  const list = [
    ['root', '*', true],
    ['web', '$6$a$b', true],
    ['ops', '$6$a$b', false],
    ['open', '', false],
    ['locked', '!', false],
  ] as const;
  expect(check(list, { INGOT_PASSWORDS: 'web open', INGOT_KEYS: 'web' })).toEqual([
    'ops has a password',
    'open can log in without a password',
    'root/.ssh/authorized_keys is left',
  ]);
  expect(check(list.slice(4))).toEqual(['']);
});
