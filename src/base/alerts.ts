import { toIngotError, IngotError } from './errors.ts';
import type { Events } from './events.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import { expandPath, type Settings } from './settings.ts';

/** What a hook is told, as JSON. It holds no input, no result and no path: nothing that could be a secret. */
export interface AlertEvent {
  readonly v: 1;
  readonly operation: string;
  readonly outcome: 'done' | 'failed' | 'interrupted';
  readonly seconds: number;
  /** Absent where it failed without one: a build of several images of which one failed. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Name of this machine. */
  readonly host: string;
  /** When it ended, as ISO 8601. */
  readonly time: string;
}

/** How a job ended. */
export interface JobEnd {
  readonly operation: string;
  readonly seconds: number;
  /** What it threw, if it did. */
  readonly error?: unknown;
  /** Of a job that threw nothing. */
  readonly exitCode?: number;
}

/** What alerting uses of an operation's context. */
export interface AlertContext {
  readonly host: Host;
  readonly home: Home;
  readonly settings: Settings;
  readonly events: Pick<Events, 'stage' | 'message'>;
}

/** How long a hook may take; seconds. */
const LIMIT = 10;
/** Marks an address that the secret store has. */
const SECRET = 'secret:';
/** Of the user's environment, what a program needs to show a notice on the desktop; a command gets nothing else. */
const PASSED_ON = ['HOME', 'USER', 'DISPLAY', 'WAYLAND_DISPLAY', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'] as const;

/**
 * Tells the hooks of the settings (`alert-command`, `alert-webhook`) that a job has ended, where it took at least `alert-after` seconds. For
 * front ends to call when a job is over, however it ended. Waits at most {@link LIMIT} seconds; what goes wrong is a warning. Never throws.
 */
export async function alertOfEnd(context: AlertContext, end: JobEnd): Promise<void> {
  const { settings, events } = context;
  const command = settings['alert-command'];
  const webhook = settings['alert-webhook'];
  if ((command === undefined && webhook === undefined) || end.seconds < settings['alert-after']) return;
  const text = JSON.stringify(alertEvent(context.host, end));
  const hooks: readonly [string, (() => Promise<void>) | undefined][] = [
    ['alert-command', command === undefined ? undefined : () => runCommand(context, expandPath(command, context.host.env), text)],
    ['alert-webhook', webhook === undefined ? undefined : () => callWebhook(context, webhook, text)],
  ];
  const call = async ([name, hook]: (typeof hooks)[number]): Promise<void> => {
    if (hook === undefined) return;
    // A hook that fails is a warning; the stage would show it as the job's failure.
    let why: string | undefined;
    await events.stage(`Calling ${name} (at most ${LIMIT} s)`, async () => (why = await reasonOf(hook)));
    if (why !== undefined) events.message('warn', `${name} failed: ${why}`);
  };
  await Promise.all(hooks.map(call));
}

/** Makes the event of a job's end; pure but for the clock. */
export function alertEvent(host: Pick<Host, 'clock' | 'machine'>, { operation, seconds, error, exitCode }: JobEnd): AlertEvent {
  const failure = error === undefined ? undefined : toIngotError(error);
  const failed = failure === undefined ? (exitCode ?? 0) !== 0 : true;
  return {
    v: 1,
    operation,
    outcome: failure?.class === 'interrupted' ? 'interrupted' : failed ? 'failed' : 'done',
    seconds: Math.round(seconds * 1000) / 1000,
    ...(failure === undefined ? {} : { error: { code: failure.code, message: failure.message } }),
    host: host.machine.hostname,
    time: host.clock.now().toISOString(),
  };
}

async function reasonOf(hook: () => Promise<void>): Promise<string | undefined> {
  try {
    await hook();
    return undefined;
  } catch (error) {
    const { message, hint } = toIngotError(error);
    return hint === undefined ? message : `${message}. ${hint}`;
  }
}

/**
 * Starts the program without arguments, with the event on its standard input. Its output is not kept: what it starts in turn could hold it open.
 * It has a session of its own, so that it is ended with all that it started.
 */
async function runCommand({ host }: AlertContext, path: string, text: string): Promise<void> {
  const running = host.processes.spawn([path], {
    stdin: 'pipe',
    detached: true,
    env: Object.fromEntries(PASSED_ON.flatMap((name) => (host.env[name] === undefined ? [] : [[name, host.env[name]]]))),
  });
  // It need not read what it is told.
  running.stdin?.on('error', () => undefined);
  running.stdin?.end(`${text}\n`);
  const end = await inTime(host, running.ended, () => running.pid !== undefined && host.processes.signal(-running.pid, 'SIGKILL'));
  if (end.exitCode === 0) return;
  if (running.pid === undefined) throw new IngotError('host', 'alert-failed', `${path} could not be started: it is missing, or may not be run`);
  throw new IngotError('command', 'alert-failed', `${path} ended with ${end.exitCode === undefined ? String(end.signal) : `exit code ${end.exitCode}`}`);
}

/** Posts the event. No redirect is followed: the address may hold a secret. Errors never show it. */
async function callWebhook({ host, home }: AlertContext, setting: string, text: string): Promise<void> {
  const address = setting.startsWith(SECRET) ? await addressOf(host, home, setting.slice(SECRET.length)) : setting;
  const stop = new AbortController();
  const request = async (): Promise<number> => {
    const response = await host.fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'ingot' },
      body: text,
      redirect: 'manual',
      signal: stop.signal,
    });
    await response.body?.cancel();
    return response.status;
  };
  let status: number;
  try {
    status = await inTime(host, request(), () => stop.abort());
  } catch (error) {
    if (error instanceof IngotError) throw error;
    const { masker } = await import('./secrets.ts');
    throw new IngotError('upstream', 'alert-failed', `the webhook cannot be reached (${masker([address]).text(causeOf(error))})`);
  }
  if (status < 200 || status > 299) throw new IngotError('upstream', 'alert-failed', `the webhook answered with HTTP status ${status}`);
}

/** The address from the secret store. Nobody is asked for a passphrase: the job is over, and nobody may be there. */
async function addressOf(host: Host, home: Home, name: string): Promise<string> {
  const { openSecrets } = await import('./secrets.ts');
  const address = (await openSecrets({ host, home }).value(name)).trim();
  if (URL.canParse(address) && /^https?:/i.test(address)) return address;
  throw new IngotError('usage', 'alert-failed', `the secret "${name}" is not an http or https address`);
}

/** What is awaited, or `alert-timeout` after {@link LIMIT} seconds, when `stop` is called. */
async function inTime<T>(host: Pick<Host, 'clock'>, work: Promise<T>, stop: () => unknown): Promise<T> {
  const done = new AbortController();
  const late = host.clock.sleep(LIMIT, done.signal).then(
    () => true,
    () => false,
  );
  const first = await Promise.race([work.then(() => false).catch(() => false), late]);
  done.abort();
  if (!first) return await work;
  stop();
  // It ends in its own way now, which nobody waits for.
  work.catch(() => undefined);
  throw new IngotError('timeout', 'alert-timeout', `it was not done within ${LIMIT} s and was stopped`);
}

/** The code of a system error among the causes, else the words of the innermost cause. */
function causeOf(error: unknown): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
    if (cause.cause === undefined) return cause.message;
  }
  return String(error);
}
