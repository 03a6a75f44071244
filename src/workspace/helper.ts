/*
 * The workspace's helper: the one part of ingot that runs as root. It is PID 2 of its own PID namespace, takes
 * commands as JSON lines on standard input, runs them, and answers on standard output. When its input ends (ingot
 * was killed) it exits, the kernel ends everything else in the namespace, and with the last process go the mounts
 * and loop devices. It imports nothing but Node, so that it starts fast and can be read in one sitting.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts a command: `id` is echoed in every answer. */
interface RunRequest {
  readonly type: 'run';
  readonly id: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** The command goes on when its request is answered; it ends with the namespace. */
  readonly background?: boolean;
}

/** Ends a running command. */
interface KillRequest {
  readonly type: 'kill';
  readonly id: number;
}

export type HelperRequest = RunRequest | KillRequest;

export type HelperAnswer =
  | { readonly type: 'started'; readonly id: number; readonly pid: number }
  | { readonly type: 'output'; readonly id: number; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly type: 'exit'; readonly id: number; readonly code: number; readonly signal?: string; readonly error?: string };

const running = new Map<number, ReturnType<typeof spawn>>();

function answer(message: HelperAnswer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function run(request: RunRequest): void {
  const [file, ...args] = request.argv;
  if (file === undefined) return answer({ type: 'exit', id: request.id, code: -1, error: 'empty command' });
  // A process group of its own, so that a command is ended together with what it started.
  const child = spawn(file, args, { env: { ...request.env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  running.set(request.id, child);
  child.once('spawn', () => answer({ type: 'started', id: request.id, pid: child.pid ?? 0 }));
  child.stdout.setEncoding('utf8').on('data', (text: string) => answer({ type: 'output', id: request.id, stream: 'stdout', text }));
  child.stderr.setEncoding('utf8').on('data', (text: string) => answer({ type: 'output', id: request.id, stream: 'stderr', text }));
  child.stdin.on('error', () => undefined); // the command may end without reading its input
  child.stdin.end(request.stdin ?? '');
  let done = false;
  const finish = (code: number, signal?: string, error?: string): void => {
    if (done) return;
    done = true;
    running.delete(request.id);
    answer({ type: 'exit', id: request.id, code, ...(signal === undefined ? {} : { signal }), ...(error === undefined ? {} : { error }) });
  };
  child.once('error', (error) => finish(-1, undefined, error.message));
  // `close` waits for the output's end, which a left-over daemon can hold open for ever; `exit` plus a moment does not.
  child.once('close', (code, signal) => finish(code ?? -1, signal ?? undefined));
  child.once('exit', (code, signal) => setTimeout(() => finish(code ?? -1, signal ?? undefined), 2000).unref());
}

function kill(id: number): void {
  const pid = running.get(id)?.pid;
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const request: HelperRequest = JSON.parse(line);
  if (request.type === 'run') run(request);
  else kill(request.id);
});
lines.on('close', () => process.exit(0));
