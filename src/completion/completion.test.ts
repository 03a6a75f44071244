import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadOperation, REGISTRY } from '../operations/registry.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { completionOf, type CommandCompletion } from './model.ts';
import { zshScript } from './zsh.ts';

let folder: string;
let commands: CommandCompletion[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ingot-completion-'));
  commands = await Promise.all(Object.keys(REGISTRY).map(async (name) => completionOf(await loadOperation(name))));
  writeFileSync(join(folder, 'script'), bashScript(commands));
  // Stands for ingot: answers with names that have the kind in them.
  writeFileSync(join(folder, 'ingot'), '#!/bin/sh\n[ "$1" = __complete ] && printf "%s-one\\n%s-two:1\\nother\\n" "$2" "$2"\n');
  chmodSync(join(folder, 'ingot'), 0o755);
  // All operations are loaded, which takes a busy machine long.
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sources the script in a real bash and asks what it offers for the last of the words. */
function offered(...words: string[]): string[] {
  const script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _ingot; printf "%s\\n" "${COMPREPLY[@]}"';
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', join(folder, 'script'), 'ingot', ...words], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', INGOT_COMPLETE: join(folder, 'ingot') },
  });
  return output.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  test('commands, and the commands of a group', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['build', 'doctor', 'image', 'vm']));
    expect(offered('com')).toEqual(['completion']);
    expect(offered('build', 'log')).toEqual(['logs']);
    expect(offered('image', 'l')).toEqual(['list', 'load']);
    expect(offered('vm', 'snap')).toEqual(['snapshot']);
  });

  test('commands of three words', () => {
    expect(offered('vm', 'snapshot', '')).toEqual(['create', 'list', 'tree', 'restore', 'delete', '--help']);
    expect(offered('lab', 'snapshot', 'd')).toEqual(['delete']);
    expect(offered('--json', 'vm', 'snapshot', 're')).toEqual(['restore']);
    expect(offered('vm', 'snapshot', 'create', 'web', '--ra')).toEqual(['--ram']);
    expect(offered('vm', 'snapshot', 'delete', 'vm-o')).toEqual(['vm-one']);
    expect(offered('lab', 'snapshot', 'list', 'lab-o')).toEqual(['lab-one']);
    // Its second place is a snapshot's name, which nobody knows here.
    expect(offered('vm', 'snapshot', 'delete', 'web', '')).toEqual([]);
  });

  test('flags, also after arguments and other flags', () => {
    expect(offered('build', '--off')).toEqual(['--offline']);
    expect(offered('build', 'debian-12', '--size', '4GiB', '--off')).toEqual(['--offline']);
    expect(offered('build', 'logs', '--fol')).toEqual(['--follow']);
    expect(offered('--json', 'image', 'list', '--ver')).toEqual(['--verbose']);
  });

  test('values of choices, and names that ingot knows', () => {
    expect(offered('build', '--filesystem', '')).toEqual(['ext4', 'xfs', 'btrfs']);
    expect(offered('build', 'te')).toEqual(['template-one', 'template-two:1']);
    expect(offered('build', 'web', 'te')).toEqual(['template-one', 'template-two:1']);
    expect(offered('vm', 'start', '')).toEqual(['vm-one', 'vm-two:1', 'other']);
    expect(offered('vm', 'create', 'web', '--image', 'image-o')).toEqual(['image-one']);
    expect(offered('completion', 'z')).toEqual(['zsh']);
  });

  test('what readline split at a colon is one name', () => {
    expect(offered('vm', 'create', 'web', '--image', 'image-two', ':', '')).toEqual(['1']);
  });
});

test('every command and flag is in every script', () => {
  for (const script of [bashScript(commands), zshScript(commands), fishScript(commands)]) {
    for (const command of commands) {
      for (const word of command.name.split(' ')) expect(script).toContain(word);
      for (const { names } of command.flags) expect(script).toContain(names[0]?.replace(/^--/, ''));
    }
  }
});
