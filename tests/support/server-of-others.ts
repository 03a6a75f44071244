import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A port of this host that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts a server that others have made, and waits for any answer at all, also that it wants TLS; it ends when this is disposed. */
export async function startServer(program: string, args: readonly string[], url: string, env?: Record<string, string>): Promise<AsyncDisposable> {
  const child = spawn(program, args, { stdio: 'ignore', ...(env === undefined ? {} : { env }) });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const answers = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  for (let attempt = 0; attempt < 500 && child.exitCode === null && !(await answers()); attempt++) await sleep(300);
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}
