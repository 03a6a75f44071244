import { createServer, type Socket } from 'node:net';
import * as z from 'zod';

const commandSchema = z.object({ execute: z.string(), arguments: z.record(z.string(), z.unknown()).optional() });

/** What the fake agent answers: an object is sent as a line, a text as it is, undefined is silence. */
export type AgentAnswer = object | string | undefined;

/**
 * A guest agent behind QEMU's socket: one client at a time, the next one when that has gone. It answers synchronisations by itself, and all else
 * with what the function returns; `before` is written to whoever connects.
 */
export async function fakeAgent(
  path: string,
  answer: (command: string, parameters: Readonly<Record<string, unknown>>) => AgentAnswer | Promise<AgentAnswer>,
  before = '',
): Promise<AsyncDisposable> {
  const queue: Socket[] = [];
  const serve = (socket: Socket): void => {
    socket.write(before);
    let buffered = '';
    let last: Promise<unknown> = Promise.resolve();
    socket.on('data', (data) => {
      const lines = (buffered + Buffer.from(data).toString('latin1').replaceAll('\u00FF', '')).split('\n');
      buffered = lines.pop() ?? '';
      for (const line of lines) last = last.then(() => reply(socket, line));
    });
    socket.on('close', () => {
      queue.shift();
      if (queue[0] !== undefined) serve(queue[0]);
    });
  };
  const reply = async (socket: Socket, line: string): Promise<void> => {
    const { execute, arguments: parameters = {} } = commandSchema.parse(JSON.parse(line));
    if (execute === 'guest-sync-delimited') {
      socket.write(Buffer.concat([Buffer.of(0xff), Buffer.from(`${JSON.stringify({ return: parameters['id'] })}\n`)]));
      return;
    }
    const said = await answer(execute, parameters);
    if (said !== undefined) socket.write(typeof said === 'string' ? said : `${JSON.stringify(said)}\n`);
  };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    queue.push(socket);
    if (queue.length === 1) serve(socket);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(path, listening.resolve);
  await listening.promise;
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of queue) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
