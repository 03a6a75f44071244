import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { replaceFile } from '../../base/files.ts';
import { hashValue } from '../../base/hash.ts';
import { homeFolder } from '../../base/home.ts';
import { findProgram } from '../../base/programs.ts';
import { hostPath, parseName, type HostPath, type Name } from '../../base/types.ts';
import { holdVm, startLocked, stopLocked } from './power.ts';
import type { LabContext } from './view.ts';
import { loadVms, saveVm } from './vms.ts';

/** Whether systemd runs this host (sd_booted(3)). */
const SYSTEMD = '/run/systemd/system';
/** Seconds that each VM has to shut down with the host. */
const STOP_SECONDS = 80;

/** What a unit that starts VMs with the host is made from. */
export interface UnitParts {
  /** The launcher of ingot. */
  readonly command: string;
  readonly home: string;
  readonly scope: 'system' | 'user';
}

/**
 * The text of the systemd unit that starts the flagged VMs with the host, and shuts them down with it. Pure. (systemd.service(5); in values,
 * a percent sign, a dollar sign, a backslash and a quote are written as systemd reads them.)
 */
export function unitText({ command, home, scope }: UnitParts): string {
  const word = (text: string): string =>
    `"${text
      .replaceAll('\\', '\\\\')
      .replaceAll('"', String.raw`\"`)
      .replaceAll('%', '%%')
      .replaceAll('$', '$$$$')}"`;
  const environment = `"INGOT_HOME=${home
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('%', '%%')}"`;
  return [
    '[Unit]',
    'Description=Virtual machines of ingot that start with the host',
    ...(scope === 'system' ? ['After=network-online.target', 'Wants=network-online.target'] : []),
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `Environment=${environment}`,
    `ExecStart=${word(command)} vm start --autostart`,
    `ExecStop=${word(command)} vm stop --autostart --timeout ${STOP_SECONDS}`,
    'TimeoutStartSec=infinity',
    `TimeoutStopSec=${STOP_SECONDS + 40}`,
    '',
    '[Install]',
    `WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n');
}

/** What setting the flag came to, for people. */
export interface AutostartResult {
  /** Whether something starts the flagged VMs with the host now. */
  readonly installed: boolean;
  readonly unit: HostPath | undefined;
  /** What is left to be done by the user. */
  readonly hint: string | undefined;
}

/**
 * Sets whether a VM is started with the host, and sees to it that something does: a systemd unit, of the system for root, else of the user; it goes
 * with the last flag. Where systemd does not run, it says what to call. Throws `vm-unknown`.
 */
export async function setAutostart(context: LabContext, name: Name, on: boolean): Promise<AutostartResult> {
  const { host, home } = context;
  {
    await using held = await holdVm(context, name, `vm autostart ${name}`);
    await saveVm(host, home, { ...held.vm, autostart: on });
  }
  const wanted = (await loadVms(host, home)).some(({ autostart }) => autostart);
  const command = await launcher(context);
  const call = `INGOT_HOME=${home.root} ${command} vm start --autostart`;
  if ((await host.files.status(SYSTEMD)) === undefined) {
    return { installed: false, unit: undefined, hint: wanted ? `systemd does not run here. Let the host call this when it has booted: ${call}` : undefined };
  }
  const scope = host.machine.uid === 0 ? 'system' : 'user';
  const unit = unitPath(context, scope);
  const systemctl = ['systemctl', ...(scope === 'user' ? ['--user'] : [])] as const;
  const environment = { env: scope === 'user' ? { XDG_RUNTIME_DIR: host.env['XDG_RUNTIME_DIR'] ?? `/run/user/${host.machine.uid}` } : {} };
  if (!wanted) {
    // Disabled, not stopped: what runs goes on.
    if ((await host.files.status(unit)) !== undefined)
      await host.processes.run(['systemctl', ...systemctl.slice(1), 'disable', '--quiet', nameOf(unit)], environment);
    await host.files.remove(unit);
    return { installed: false, unit: undefined, hint: undefined };
  }
  await host.files.makeDirectory(dirname(unit));
  await replaceFile(host.files, unit, unitText({ command, home: home.root, scope }));
  await host.processes.run(['systemctl', ...systemctl.slice(1), 'daemon-reload'], environment);
  await host.processes.run(['systemctl', ...systemctl.slice(1), 'enable', '--quiet', nameOf(unit)], environment);
  const linger = `A user's units start when the user logs in; for the host's start, run: loginctl enable-linger ${host.machine.user}`;
  return { installed: true, unit, hint: scope === 'user' ? linger : undefined };
}

/** What came of one of several VMs. */
export interface EachResult {
  readonly name: string;
  /** Why it failed; undefined where it did not. */
  readonly error: string | undefined;
}

/** Starts the VMs that start with the host, one after the other; one that fails stops no other. */
export function startFlagged(context: LabContext, force: boolean): Promise<EachResult[]> {
  return eachFlagged(context, 'vm start', (name) => withHeld(context, name, 'vm start', (held) => startLocked(context, held, { force })));
}

/** Shuts down the VMs that start with the host, all together; `timeout` is in seconds. */
export function stopFlagged(context: LabContext, options: { readonly timeout: number; readonly force: boolean }): Promise<EachResult[]> {
  return eachFlagged(context, 'vm stop', (name) => withHeld(context, name, 'vm stop', (held) => stopLocked(context, held, options)), true);
}

async function withHeld<T>(context: LabContext, name: Name, what: string, work: (vm: Awaited<ReturnType<typeof holdVm>>['vm']) => Promise<T>): Promise<T> {
  await using held = await holdVm(context, name, `${what} ${name}`);
  return await work(held.vm);
}

async function eachFlagged(context: LabContext, what: string, work: (name: Name) => Promise<unknown>, together = false): Promise<EachResult[]> {
  const names = (await loadVms(context.host, context.home)).filter(({ autostart }) => autostart).map(({ name }) => parseName(name, 'a VM'));
  const one = async (name: Name): Promise<EachResult> => {
    try {
      await work(name);
      return { name, error: undefined };
    } catch (error) {
      context.signal.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      context.events.message('warn', `${what} ${name}: ${message}`);
      return { name, error: message };
    }
  };
  if (together) return Promise.all(names.map(one));
  const results: EachResult[] = [];
  for (const name of names) results.push(await one(name));
  return results;
}

/** The unit of this home: each home that is not the usual one has a name of its own. */
function unitPath({ host, home }: LabContext, scope: 'system' | 'user'): HostPath {
  const usual = homeFolder({ env: { ...host.env, INGOT_HOME: undefined }, machine: host.machine });
  const file = home.root === usual ? 'ingot-vms.service' : `ingot-vms-${hashValue(home.root).slice(0, 8)}.service`;
  if (scope === 'system') return hostPath(join('/etc/systemd/system', file));
  const config = host.env['XDG_CONFIG_HOME'];
  const folder = config !== undefined && config.startsWith('/') ? config : join(host.env['HOME'] ?? homedir(), '.config');
  return hostPath(join(folder, 'systemd', 'user', file));
}

function nameOf(unit: string): string {
  return unit.slice(unit.lastIndexOf('/') + 1);
}

/** The launcher that started this ingot, with its whole path. Throws `launcher-unknown` where it does not say. */
async function launcher({ host }: LabContext): Promise<string> {
  const command = host.env['INGOT_COMMAND'] ?? '';
  const path = command.includes('/') ? resolve(command) : command === '' ? undefined : await findProgram(host, command);
  if (path !== undefined) return path;
  throw new IngotError('host', 'launcher-unknown', 'It is not known where the command ingot is', { hint: 'Start it with its whole path: /…/ingot.' });
}
