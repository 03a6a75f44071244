import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { QmpClient } from './qmp.ts';

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qmp-'));
});
afterEach(async () => {
  server?.close();
  await rm(folder, { recursive: true });
});

const GREETING = `${JSON.stringify({ QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 } }, capabilities: [] } })}\n`;
const commandSchema = z.object({ execute: z.string(), id: z.int() });

/** A server that greets and answers each command with what the function returns. */
async function serve(answer: (command: string, id: number, socket: Socket) => string, greeting = GREETING): Promise<string> {
  const path = join(folder, 'qmp.sock');
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(greeting);
    socket.on('data', (data) => {
      for (const line of String(data).trim().split('\n')) {
        const { execute, id } = commandSchema.parse(JSON.parse(line));
        socket.write(execute === 'qmp_capabilities' ? `${JSON.stringify({ return: {}, id })}\n` : answer(execute, id, socket));
      }
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(path, listening.resolve);
  await listening.promise;
  return path;
}

test('answers go to the command that asked, whatever their order', async () => {
  const held: string[] = [];
  const path = await serve((command, id) => {
    const answer = `${JSON.stringify({ return: command, id })}\n`;
    if (command === 'first') {
      held.push(answer);
      return '';
    }
    return answer + held.join('');
  });
  using client = await QmpClient.connect(path);
  expect(await Promise.all([client.execute('first'), client.execute('second')])).toEqual(['first', 'second']);
});

test("QEMU's refusal is an error with its words", async () => {
  const path = await serve((_, id) => `${JSON.stringify({ error: { class: 'CommandNotFound', desc: 'no such command' }, id })}\n`);
  using client = await QmpClient.connect(path);
  await expect(client.execute('frobnicate')).rejects.toMatchObject({ code: 'qemu-refused', message: 'QEMU refused: no such command' });
});

test('events reach the listener, also when they come in two parts, until it is removed', async () => {
  const event = `${JSON.stringify({ event: 'SHUTDOWN', data: { guest: true }, timestamp: { seconds: 1, microseconds: 2 } })}\n`;
  const path = await serve((command, id) => `${event.slice(0, 10)}${event.slice(10)}${JSON.stringify({ return: command, id })}\n`);
  using client = await QmpClient.connect(path);
  const seen: unknown[] = [];
  const stop = client.onEvent((one) => seen.push(one));
  await client.execute('a');
  stop();
  await client.execute('b');
  expect(seen).toEqual([{ name: 'SHUTDOWN', data: { guest: true } }]);
});

test('a monitor that closes fails what waits, and every command after it', async () => {
  const path = await serve((_command, _id, socket) => {
    socket.destroy();
    return '';
  });
  using client = await QmpClient.connect(path);
  await expect(client.execute('quit')).rejects.toMatchObject({ code: 'qemu-gone' });
  await expect(client.execute('again')).rejects.toMatchObject({ code: 'qemu-gone' });
});

test('a monitor that says nothing is given up', async () => {
  await expect(QmpClient.connect(await serve(() => '', ''), 0.05)).rejects.toMatchObject({ code: 'qemu-silent' });
});

test('garbage is refused with its words', async () => {
  await expect(QmpClient.connect(await serve(() => '', 'SSH-2.0-OpenSSH\n'))).rejects.toMatchObject({ code: 'qemu-garbled' });
});

test('nobody listening is told as such', async () => {
  await expect(QmpClient.connect(join(folder, 'none.sock'))).rejects.toMatchObject({ code: 'qemu-gone' });
});
