import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeAccess, type OwnAccess, type TakenAccess } from './accounts.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ingot-'));
  mkdirSync(join(folder, 'etc'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const LAB = 'ssh-ed25519 AAAAlab ingot';
const MINE = 'ssh-ed25519 AAAAmine me@home';

/** Runs it on accounts of this host's folder: name, hash, keys. */
async function take(list: readonly (readonly [string, string, string])[], own: Partial<OwnAccess> = {}): Promise<TakenAccess> {
  for (const [name, , keys] of list) {
    mkdirSync(join(folder, name, '.ssh'), { recursive: true });
    if (keys !== '') writeFileSync(join(folder, name, '.ssh/authorized_keys'), keys);
  }
  writeFileSync(join(folder, 'etc/shadow'), list.map(([name, hash]) => `${name}:${hash}:1::::::\n`).join(''));
  writeFileSync(join(folder, 'etc/passwd'), list.map(([name]) => `${name}:x:1:1::${join(folder, name)}:/bin/sh\n`).join(''));
  return await takeAccess(
    {
      run: ([program, ...words]) => {
        const here = words.map((word) => word.replaceAll(/\/etc\/(passwd|shadow)/g, (path) => join(folder, path)));
        return Promise.resolve({ stdout: execFileSync(program, here, { encoding: 'utf8' }), stderr: '', exitCode: 0 });
      },
    },
    { keys: [], passwords: [], labKey: 'AAAAlab', ...own },
  );
}
const shadow = (): string[] => readFileSync(join(folder, 'etc/shadow'), 'utf8').trimEnd().split('\n');
const keysOf = (name: string): string | undefined => {
  try {
    return readFileSync(join(folder, name, '.ssh/authorized_keys'), 'utf8');
  } catch {
    return undefined;
  }
};

test('nobody can log in whom the image does not let in', async () => {
  const taken = await take([
    ['root', '*', `no-pty ${LAB}\n`],
    ['debian', '$6$a$b', `${LAB}\n${MINE}\n`],
    ['open', '', ''],
    ['plain', '!', ''],
  ]);
  expect(taken).toEqual({ keys: ['root', 'debian'], passwords: ['debian', 'open'], privateKeys: [] });
  expect(shadow()).toEqual(['root:*:1::::::', 'debian:!*:1::::::', 'open:!*:1::::::', 'plain:!:1::::::']);
  expect([keysOf('root'), keysOf('debian')]).toEqual([undefined, undefined]);
});

test("whom the image lets in keeps keys and password, but for the lab's own key", async () => {
  const taken = await take(
    [
      ['deploy', '$6$a$b', `${LAB}\n${MINE}\n`],
      ['ops', '$6$a$b', `${MINE}\n`],
      ['only', '!', LAB],
    ],
    { keys: ['deploy', 'ops', 'only'], passwords: ['deploy'] },
  );
  expect(taken).toEqual({ keys: ['deploy', 'only'], passwords: ['ops'], privateKeys: [] });
  expect(['deploy', 'ops', 'only'].map(keysOf)).toEqual([`${MINE}\n`, `${MINE}\n`, '']);
  expect(shadow()).toEqual(['deploy:$6$a$b:1::::::', 'ops:!*:1::::::', 'only:!:1::::::']);
});

test('private keys stay, and are told', async () => {
  mkdirSync(join(folder, 'ann/.ssh'), { recursive: true });
  for (const name of ['id_ed25519', 'id_ed25519.pub']) writeFileSync(join(folder, 'ann/.ssh', name), 'key');
  expect(await take([['ann', '!', '']])).toEqual({ keys: [], passwords: [], privateKeys: [join(folder, 'ann/.ssh/id_ed25519')] });
});
