import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Events } from '../../src/base/events.ts';
import { openHome, type Home } from '../../src/base/home.ts';
import { realHost, type Host } from '../../src/base/host.ts';
import { hostProcesses, type CommandResult, type RunningProcess } from '../../src/base/process.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { loadSettings } from '../../src/base/settings.ts';
import type { Context } from '../../src/operations/operation.ts';

export const INGOT = fileURLToPath(new URL('../../ingot', import.meta.url));

/** Why system tests cannot run here, or undefined. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'builds need Linux';
  if (userInfo().uid !== 0 && !existsSync('/usr/bin/sudo')) return 'builds need root or sudo';
  return undefined;
}

/** A home of a test's own, removed with it. */
export class TestHome implements AsyncDisposable {
  readonly root: HostPath;
  readonly #kept: boolean;

  private constructor(root: HostPath, kept = false) {
    this.root = root;
    this.#kept = kept;
  }

  /** A home that stays, for those who run a test again and again. */
  static kept(root: HostPath): TestHome {
    return new TestHome(root, true);
  }

  /** In /var/tmp, since images are too large for a /tmp in memory. */
  static async make(): Promise<TestHome> {
    return new TestHome(hostPath(await mkdtemp('/var/tmp/ingot-test-')));
  }

  /** A home that is kept, for those who test the same again and again. */
  static at(path: string): TestHome {
    return new TestHome(hostPath(path));
  }

  /** Runs ingot to its end; any exit code is an answer. */
  async ingot(args: readonly string[], options: { env?: Readonly<Record<string, string>>; timeout?: number } = {}): Promise<CommandResult> {
    return await hostProcesses.run([INGOT, ...args], {
      env: this.environment(options.env),
      timeout: options.timeout ?? 1500,
      accept: Array.from({ length: 256 }, (_, code) => code),
    });
  }

  /** Runs ingot with --json and returns its result; throws with what it said where it failed. */
  async json(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<unknown> {
    const { exitCode, stdout, stderr } = await this.ingot([...args, '--json'], env === undefined ? {} : { env });
    if (exitCode !== 0) throw new Error(`ingot ${args.join(' ')} ended with ${exitCode}:\n${stderr}`);
    return JSON.parse(stdout);
  }

  start(args: readonly string[]): RunningProcess {
    return hostProcesses.spawn([INGOT, ...args], { env: this.environment(), stdout: 'ignore', stderr: 'ignore' });
  }

  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { HOME: process.env['HOME'] ?? '/root', INGOT_HOME: this.root, ...more };
  }

  /** What operations work with, for tests that look behind the command line. */
  async context(): Promise<Context & { readonly host: Host; readonly home: Home }> {
    const host = realHost();
    const home = await openHome(host, this.root);
    const refuse = (): never => {
      throw new Error('nobody is here to be asked');
    };
    return {
      host,
      home,
      settings: await loadSettings({ host, home }),
      events: new Events('test', () => undefined, host),
      signal: new AbortController().signal,
      verbose: false,
      consent: refuse,
      askHidden: refuse,
      standardInput: () => Promise.resolve(undefined),
      attach: refuse,
      write: () => undefined,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept) await rm(this.root, { recursive: true, force: true });
  }
}

/** Everything on this host that belongs to a home: processes, mounts and loop devices that name its path. */
export async function traces(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(root)) found.push(`process ${pid}: ${command.replaceAll('\0', ' ').slice(0, 120)}`);
    const mounts = await readFile(`/proc/${pid}/mounts`, 'utf8').catch(() => '');
    if (mounts.includes(root)) found.push(`mount seen by process ${pid}`);
  }
  for (const loop of await readdir('/sys/block')) {
    const backing = await readFile(join('/sys/block', loop, 'loop/backing_file'), 'utf8').catch(() => '');
    if (backing.includes(root)) found.push(`loop device ${loop} on ${backing.trim()}`);
  }
  return found;
}
