import { dirname } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { formatSize } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { findThisNode } from '../platforms/proxmox/here.ts';
import { installCommand } from './install.ts';
import { findTool, hostTool, HOST_TOOLS, type ToolName } from './tools.ts';

/** `ok`; `warning`: works, but less well; `missing`: something that ingot does will fail. */
export const findingSchema = z.object({
  name: z.string(),
  state: z.enum(['ok', 'warning', 'missing']),
  /** What was found. */
  found: z.string(),
  purpose: z.string().optional(),
  /** What to do about it; a command where there is one. */
  remedy: z.string().optional(),
});
export type Finding = z.output<typeof findingSchema>;

type CheckContext = Pick<Context, 'host' | 'home' | 'events' | 'signal'>;

const GIB = 2 ** 30;
/** A build needs room for the packages, the layer and an export. */
const BUILD_SPACE = 4 * GIB;
const VM_MEMORY = 1.5 * GIB;

/** What this host is and may do: system, processors, memory, disk space, root, loop devices, FUSE. */
export async function checkHost(context: CheckContext): Promise<Finding[]> {
  const { host } = context;
  return [
    await systemFinding(host),
    memoryFinding(host),
    await spaceFinding(context),
    await rootFinding(host),
    ...(await deviceFindings(host)),
    ...(await nodeFinding(host)),
  ];
}

async function systemFinding(host: Host): Promise<Finding> {
  const { machine } = host;
  const release = Buffer.from(await host.files.read('/etc/os-release').catch(() => new Uint8Array())).toString('utf8');
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? machine.platform;
  const found = `${name}, ${machine.arch}, ${machine.cpus} CPUs`;
  if (machine.platform === 'linux') return { name: 'system', state: 'ok', found };
  return { name: 'system', state: 'warning', found, remedy: 'Builds need Linux; this host can run VMs.' };
}

/** Whoever runs ingot on a node of Proxmox VE has a target at hand. */
async function nodeFinding(host: Host): Promise<Finding[]> {
  const node = await findThisNode(host);
  return node === undefined
    ? []
    : [{ name: 'Proxmox VE', state: 'ok', found: `a node of version ${node.version}; \`ingot target here\` makes a target of it` }];
}

function memoryFinding(host: Host): Finding {
  const free = host.machine.freeMemory();
  const found = `${formatSize(free)} free of ${formatSize(host.machine.memory)}`;
  if (free >= VM_MEMORY) return { name: 'memory', state: 'ok', found };
  return { name: 'memory', state: 'warning', found, remedy: `A build and the VM of its gate want ${formatSize(VM_MEMORY)}: end other programs or VMs.` };
}

async function spaceFinding({ host, home }: CheckContext): Promise<Finding> {
  let folder: string = home.root;
  while ((await host.files.status(folder)) === undefined && folder !== '/') folder = dirname(folder);
  const free = await host.files.freeSpace(folder);
  const found = `${formatSize(free)} free at ${home.root}`;
  if (free >= BUILD_SPACE) return { name: 'disk space', state: 'ok', found };
  return {
    name: 'disk space',
    state: 'warning',
    found,
    remedy: `A build wants ${formatSize(BUILD_SPACE)}: run \`ingot image prune\`, or set INGOT_HOME to a folder on another disk.`,
  };
}

async function rootFinding(host: Host): Promise<Finding> {
  const purpose = 'opening disks for building';
  if (host.machine.uid === 0) return { name: 'root', state: 'ok', found: 'running as root', purpose };
  if ((await host.files.status('/usr/bin/sudo')) === undefined) {
    return { name: 'root', state: 'missing', found: 'neither root nor sudo', purpose, remedy: 'Run builds as root, or as root: apt-get install -y sudo' };
  }
  const silent = await host.processes.run(['sudo', '-n', 'true'], { accept: [1] });
  return { name: 'root', state: 'ok', found: silent.exitCode === 0 ? 'through sudo' : 'through sudo, which asks for your password', purpose };
}

async function deviceFindings(host: Host): Promise<Finding[]> {
  if (host.machine.platform !== 'linux') return [];
  const device = async (name: string, path: string, purpose: string, remedy: string): Promise<Finding> =>
    (await host.files.status(path)) === undefined
      ? { name, state: 'missing', found: `there is no ${path}`, purpose, remedy }
      : { name, state: 'ok', found: path, purpose };
  const sudo = host.machine.uid === 0 ? '' : 'sudo ';
  return [
    await device('loop devices', '/dev/loop-control', 'mounting the disk that is being built', `${sudo}modprobe loop`),
    await device('FUSE', '/dev/fuse', 'opening the disk that is being built', `${sudo}modprobe fuse`),
  ];
}

/** Each tool of the table: its version, or the command that installs it. */
export async function checkTools(host: Host): Promise<Finding[]> {
  return Promise.all(
    Object.keys(HOST_TOOLS)
      .filter(isToolName)
      .map((name) => toolFinding(host, name)),
  );
}

/** Whether a text names a tool of the table. */
export function isToolName(name: string): name is ToolName {
  return Object.hasOwn(HOST_TOOLS, name);
}

async function toolFinding(host: Host, name: ToolName): Promise<Finding> {
  const tool = hostTool(name, host.machine.arch);
  const path = await findTool(host, name);
  const { purpose } = tool;
  if (path === undefined) {
    const state = tool.needs.length === 0 ? 'warning' : 'missing';
    return { name: tool.name, state, found: 'not installed', purpose, remedy: installCommand([tool.package], host.machine.uid) };
  }
  if (tool.version === undefined) return { name: tool.name, state: 'ok', found: tool.files === undefined ? 'installed' : path, purpose };
  try {
    const { stdout, stderr } = await host.processes.run([path, ...tool.version], { timeout: 20, accept: [1] });
    return { name: tool.name, state: 'ok', found: versionIn(`${stdout}\n${stderr}`), purpose };
  } catch (error) {
    const why = error instanceof IngotError ? error.message : String(error);
    return {
      name: tool.name,
      state: 'missing',
      found: `does not start: ${why}`,
      purpose,
      remedy: installCommand(['--reinstall', tool.package], host.machine.uid),
    };
  }
}

/** The first version number in what a tool prints. */
export function versionIn(text: string): string {
  return /\d+(?:\.\d+)+(?:[a-z]\d*)?/.exec(text)?.[0] ?? 'installed';
}
