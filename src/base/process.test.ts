import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostProcesses, quoteCommand } from './process.ts';

describe('a command that is run', () => {
  test('gets its words as they are, and none of the environment', async () => {
    process.env['INGOT_TEST_LEAK'] = 'yes';
    const { stdout } = await hostProcesses.run(['sh', '-c', 'printf "%s|" "$@"; printf "%s" "${INGOT_TEST_LEAK-none}"', 'sh', 'two words', '$HOME', "it's"]);
    expect(stdout).toBe("two words|$HOME|it's|none");
  });

  test('that does not exist is named as missing', async () => {
    await expect(hostProcesses.run(['ingot-has-no-such-program'])).rejects.toMatchObject({
      code: 'command-missing',
      message: expect.stringContaining('ingot-has-no-such-program'),
    });
  });

  test('that fails shows its last lines and how to repeat it, without secrets', async () => {
    const failing = hostProcesses.run(['sh', '-c', 'echo "the password is hunter2" >&2; exit 3'], { secrets: ['hunter2'] });
    await expect(failing).rejects.toMatchObject({
      code: 'command-failed',
      message: 'sh ended with exit code 3',
      detail: expect.stringContaining('the password is ***'),
    });
  });

  test('that takes too long is ended', async () => {
    await expect(hostProcesses.run(['sleep', '60'], { timeout: 0.2 })).rejects.toMatchObject({ code: 'command-timeout' });
  });

  test.skipIf(process.platform !== 'linux')('ends with ingot, even when that is killed (Linux)', async () => {
    const script = `import { hostProcesses } from ${JSON.stringify(import.meta.resolve('./process.ts'))}; await hostProcesses.run(['sh', '-c', 'echo $$ >&2; exec sleep 60'], { onLine: (line) => console.log(line) });`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line).trim());
    const alive = (): boolean => {
      try {
        return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    };
    expect(alive()).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    for (let i = 0; i < 100 && alive(); i++) await sleep(20);
    expect(alive()).toBe(false);
  });
});

test('a quoted command is read by a shell as the words it was made of', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).filter((word) => !word.includes('\0')),
        { minLength: 1, maxLength: 5 },
      ),
      async (words) => {
        const { stdout } = await hostProcesses.run(['sh', '-c', `printf '%s\\0' ${quoteCommand(words)}`]);
        expect(stdout.split('\0').slice(0, -1)).toEqual(words);
      },
    ),
    { numRuns: 30 },
  );
});
