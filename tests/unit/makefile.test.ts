import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../src/cli/arguments.ts';
import { readCommandLine } from '../../src/cli/command-line.ts';
import { loadOperation, REGISTRY } from '../../src/operations/registry.ts';

const root = join(import.meta.dirname, '..', '..');
const hasMake = spawnSync('make', ['--version']).status === 0;
const make = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync('make', ['-n', '--no-print-directory', ...words], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  return { status, stderr, lines: stdout.trim().split('\n') };
};

/** The words of a line that needs no more of a shell than quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'\\]|\\.|'[^']*')+/g)].map(([word]) => word.replaceAll(/'([^']*)'|\\(.)/g, '$1$2'));
}

/** Each target, and the call of ingot that it is. */
const CALLS: readonly (readonly [string, string])[] = [
  ['images', 'image list'],
  ['list', 'vm list'],
  ['build ROLE=docker', 'build debian-12 --role docker'],
  ['build ROLE=docker RELEASE=debian-13', 'build debian-13 --role docker'],
  ['create-docker NAME=web', 'vm create web --role docker'],
  ['start NAME=web', 'vm start web'],
  ['ssh NAME=web', 'vm ssh web'],
  ['stop NAME=web', 'vm stop web'],
  ['delete NAME=web', 'vm delete web'],
  ['clone SOURCE=web TARGET=web-2', 'vm clone web web-2'],
  ['export NAME=web TARGET=my-image', 'vm export web --as my-image'],
  ['snapshot NAME=web ACTION=create SNAPSHOT=before', 'vm snapshot create web before'],
  ['snapshot NAME=web ACTION=list', 'vm snapshot list web'],
  ['snapshot NAME=web ACTION=restore SNAPSHOT=before', 'vm snapshot restore web before'],
  ['snapshot NAME=web ACTION=delete SNAPSHOT=before', 'vm snapshot delete web before'],
];

describe.skipIf(!hasMake)(`the Makefile${hasMake ? '' : ' (there is no make)'}`, () => {
  test.each(CALLS)('make %s is one call of ingot, which understands it', async (target, call) => {
    const { status, lines, stderr } = make(...target.split(' '));
    expect({ status, stderr, words: lines.map(wordsOf) }).toEqual({ status: 0, stderr: '', words: [['./ingot', ...call.split(' ')]] });
    const line = readCommandLine(call.split(' '), Object.keys(REGISTRY));
    expect(line.complete).toBe(true);
    parseArguments(await loadOperation(line.command), line.rest, root);
  });

  test.each(['start', 'ssh', 'stop', 'delete', 'create-docker', 'export', 'snapshot ACTION=list'])('make %s tells that NAME is missing', (target) => {
    const { status, stderr } = make(...target.split(' '));
    expect(status).not.toBe(0);
    expect(stderr).toContain(`NAME is missing: make ${target.split(' ')[0]} NAME=web`);
  });

  test('a value is one word, whatever is in it', () => {
    const value = `it's; rm -rf "$HOME" \`x\``;
    expect(make('stop', `NAME=${value.replaceAll('$', '$$$$')}`).lines.map(wordsOf)).toEqual([['./ingot', 'vm', 'stop', value]]);
  });

  test('without a target it lists them all', () => {
    const { lines } = make();
    expect(lines.every((line) => line.startsWith('echo '))).toBe(true);
    for (const [target] of CALLS) expect(lines.join('\n')).toMatch(new RegExp(`make ([a-z]+\\|)*${target.split(' ')[0]}\\b`));
  });
});
