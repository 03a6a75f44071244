import { describe, expect, test } from 'vitest';
import type { Argv, CommandOptions } from '../../base/process.ts';
import { realHost } from '../../base/host.ts';
import { checkPassword, hashPassword } from './password.ts';

const HASH = `$6$saltsalt$${'a'.repeat(86)}`;

describe('a password', () => {
  test('goes through a pipe and on no command line, and comes back as a hash', async () => {
    const calls: { argv: Argv; options: CommandOptions | undefined }[] = [];
    const run = async (argv: Argv, options?: CommandOptions) => {
      calls.push({ argv, options });
      return { stdout: `${HASH}\n`, stderr: '', exitCode: 0 };
    };
    const processes = { ...realHost().processes, run };
    expect(await hashPassword({ processes }, 'pass word')).toBe(HASH);
    expect(calls).toEqual([{ argv: ['openssl', 'passwd', '-6', '-stdin'], options: { stdin: 'pass word\n', secrets: ['pass word'] } }]);
  });

  test('what is no hash is not taken for one', async () => {
    const run = () => Promise.resolve({ stdout: 'pass word\n', stderr: '', exitCode: 0 });
    await expect(hashPassword({ processes: { ...realHost().processes, run } }, 'pass word')).rejects.toMatchObject({ code: 'password-not-hashed' });
  });

  test.each(['', 'a\nb', 'a\0', '\u001B[A', 'x'.repeat(257)])('%j is none, and is not shown', (password) => {
    try {
      checkPassword(password);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'password-invalid' });
      if (password !== '') expect(String(error)).not.toContain(password);
    }
  });
});
