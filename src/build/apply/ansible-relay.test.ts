import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IngotError } from '../../base/errors.ts';
import { hostFiles } from '../../base/files.ts';
import { hostPath } from '../../base/types.ts';
import { startRelay } from './ansible-relay.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'relay-'))));
afterEach(() => rm(folder, { recursive: true }));

/** What the plugin does: one line, cut anywhere, and one line back. */
async function ask(path: string, pieces: readonly string[]): Promise<unknown> {
  const answer = Promise.withResolvers<string>();
  const socket = connect(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (data) => (text += String(data)));
  socket.on('close', () => answer.resolve(text));
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return JSON.parse(await answer.promise);
}

describe('relay', () => {
  test('runs each command and answers with what it did', async () => {
    const path = hostPath(join(folder, 's'));
    await using relay = await startRelay({ files: hostFiles }, path, (command, stdin) =>
      Promise.resolve({ exitCode: 3, stdout: `${command}|${stdin}`, stderr: 'ä' }),
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const request = `${JSON.stringify({ command: 'cat', stdin: 'a\nb' })}\n`;
    expect(await ask(path, [request.slice(0, 7), request.slice(7)])).toEqual({ code: 3, stdout: 'cat|a\nb', stderr: 'ä' });
    expect(relay.failure()).toBeUndefined();
  });

  test('keeps what went wrong with the workspace itself', async () => {
    const path = hostPath(join(folder, 's'));
    await using relay = await startRelay({ files: hostFiles }, path, () => Promise.reject(new IngotError('host', 'workspace-lost', 'it is gone')));
    expect(await ask(path, ['{"command":"true","stdin":""}\n'])).toEqual({ error: 'it is gone' });
    expect(relay.failure()?.code).toBe('workspace-lost');
  });

  test('answers nonsense with an error', async () => {
    const path = hostPath(join(folder, 's'));
    await using _relay = await startRelay({ files: hostFiles }, path, () => Promise.reject(new Error('not asked')));
    expect(await ask(path, ['nonsense\n'])).toHaveProperty('error');
  });

  test('refuses a path that no socket can have', async () => {
    const path = hostPath(join(folder, 'x'.repeat(120)));
    await expect(startRelay({ files: hostFiles }, path, () => Promise.reject(new Error('not asked')))).rejects.toHaveProperty('code', 'path-too-long');
  });
});
