import { createServer, type Socket } from 'node:net';
import * as z from 'zod';
import { IngotError, toIngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { CommandResult } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';

/** The kernel's limit for a socket's path (107 bytes on Linux, 103 on macOS). */
const LONGEST_PATH = 103;

const requestSchema = z.object({ command: z.string(), stdin: z.string() });

/** Where ansible's connection plugin asks for commands to be run. */
export interface Relay extends AsyncDisposable {
  /** What went wrong with the place where commands run, as opposed to a command; ansible only knows that its host cannot be reached. */
  failure(): IngotError | undefined;
}

/**
 * Listens on a new socket (0600) for requests of the connection plugin and answers each with what `run` says: one line of JSON in, one out.
 * Throws `path-too-long`.
 */
export async function startRelay(
  { files }: Pick<Host, 'files'>,
  path: HostPath,
  run: (command: string, stdin: string) => Promise<CommandResult>,
): Promise<Relay> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new IngotError('host', 'path-too-long', `The path ${path} is too long for a socket`, { hint: 'Set INGOT_HOME to a folder with a shorter path.' });
  }
  let failure: IngotError | undefined;
  const sockets = new Set<Socket>();
  const answer = async (line: string): Promise<unknown> => {
    try {
      const { command, stdin } = requestSchema.parse(JSON.parse(line));
      const { exitCode, stdout, stderr } = await run(command, stdin);
      return { code: exitCode, stdout, stderr };
    } catch (error) {
      failure = toIngotError(error);
      return { error: failure.message };
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    let pieces: string[] = [];
    socket.setEncoding('utf8');
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy()); // ansible was ended
    socket.on('data', (data) => {
      const text = String(data);
      pieces.push(text);
      if (!text.includes('\n')) return;
      const line = pieces.join('');
      pieces = [];
      void answer(line).then((value) => socket.end(`${JSON.stringify(value)}\n`));
    });
  });
  const listening = Promise.withResolvers<undefined>();
  server.once('error', listening.reject);
  server.listen(path, () => listening.resolve(undefined));
  await listening.promise;
  await files.setMode(path, 0o600);
  return {
    failure: () => failure,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<undefined>();
      server.close(() => closed.resolve(undefined));
      await closed.promise;
    },
  };
}
