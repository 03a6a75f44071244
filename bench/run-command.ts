import { hostProcesses, type Argv } from '../src/base/process.ts';

export interface Timed {
  readonly seconds: number;
  readonly stdout: string;
}

/** Runs a command to its end and tells how long it took; throws with its output where it fails. */
export async function timed(argv: Argv, env: Readonly<Record<string, string>> = {}): Promise<Timed> {
  const start = performance.now();
  const { stdout } = await hostProcesses.run(argv, { env: { HOME: process.env['HOME'] ?? '/root', ...env }, timeout: 3600 });
  return { seconds: (performance.now() - start) / 1000, stdout };
}
