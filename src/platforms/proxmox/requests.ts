import * as z from 'zod';
import {
  anything,
  configSchema,
  containerInterfacesSchema,
  contentSchema,
  interfacesSchema,
  nodeSchema,
  permissionsSchema,
  resourceSchema,
  snapshotSchema,
  statusSchema,
  storageConfigSchema,
  storageSchema,
  taskLogSchema,
  taskSchema,
  taskStatusSchema,
  upidOrNothing,
  versionSchema,
  vmidSchema,
} from './answers.ts';

export type Value = string | number | boolean;
export type Parameters = Readonly<Record<string, Value | undefined>>;

/** One request of the API, as its own documentation names it. */
export interface PveRequest<T = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With the names of parameters in braces: `/nodes/{node}/qemu`. */
  readonly path: string;
  /** Those of the path included. */
  readonly parameters: Readonly<Record<string, Value>>;
  /** Sent twice, it does no harm: it may be sent again where the answer was lost. */
  readonly repeatable: boolean;
  readonly answer: z.ZodType<T>;
}

function make<T>(method: PveRequest['method'], path: string, answer: z.ZodType<T>, parameters: Parameters, repeatable = method === 'GET'): PveRequest<T> {
  const given = Object.entries(parameters).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return { method, path, parameters: Object.fromEntries(given), repeatable, answer };
}

/** What a clone is to be. */
export interface Clone {
  readonly newid: number;
  readonly name: string;
  readonly description?: string | undefined;
  readonly full: boolean;
  readonly storage?: string | undefined;
  readonly pool?: string | undefined;
  /** The node that it goes to. */
  readonly target?: string | undefined;
}

interface Machine {
  readonly node: string;
  readonly vmid: number;
  /** A container; without it a VM. Both are asked for the same things, at paths of their own. */
  readonly kind?: 'lxc' | undefined;
}

const idOf = ({ node, vmid }: Machine): { node: string; vmid: number } => ({ node, vmid });
const of = ({ kind }: Machine, what: string): string => `/nodes/{node}/${kind ?? 'qemu'}/{vmid}${what}`;

/** A container's name is its hostname. */
function cloneForm(machine: Machine, { name, ...clone }: Clone): Parameters {
  return { ...clone, ...(machine.kind === 'lxc' ? { hostname: name } : { name }), ...idOf(machine) };
}

/** Every request that ingot can make, but for the upload, whose form is written by hand (multipart.ts). The contract test goes through this list. */
export const REQUESTS = {
  version: () => make('GET', '/version', versionSchema, {}),
  nodes: () => make('GET', '/nodes', z.array(nodeSchema), {}),
  resources: () => make('GET', '/cluster/resources', z.array(resourceSchema), { type: 'vm' }),
  permissions: () => make('GET', '/access/permissions', permissionsSchema, {}),
  nextId: (vmid?: number) => make('GET', '/cluster/nextid', vmidSchema, { vmid }),
  storages: (node: string) => make('GET', '/nodes/{node}/storage', z.array(storageSchema), { node, enabled: true }),
  storageConfig: (storage: string) => make('GET', '/storage/{storage}', storageConfigSchema, { storage }),
  /** The digest makes it fail where somebody has changed the settings meanwhile. */
  setStorageContent: (storage: string, content: string, digest: string | undefined) =>
    make('PUT', '/storage/{storage}', anything, { storage, content, digest }, true),
  content: (node: string, storage: string, content: 'import' | 'iso' | 'vztmpl') =>
    make('GET', '/nodes/{node}/storage/{storage}/content', z.array(contentSchema), { node, storage, content }),
  deleteVolume: (node: string, storage: string, volume: string) =>
    make('DELETE', '/nodes/{node}/storage/{storage}/content/{volume}', upidOrNothing, { node, storage, volume }, true),
  createVm: (node: string, config: Parameters) => make('POST', '/nodes/{node}/qemu', upidOrNothing, { ...config, node }),
  createContainer: (node: string, config: Parameters) => make('POST', '/nodes/{node}/lxc', upidOrNothing, { ...config, node }),
  /** The addresses of a running container. */
  containerInterfaces: ({ node, vmid }: Machine) => make('GET', '/nodes/{node}/lxc/{vmid}/interfaces', containerInterfacesSchema, { node, vmid }),
  config: (machine: Machine) => make('GET', of(machine, '/config'), configSchema, idOf(machine)),
  setConfig: (machine: Machine, change: Parameters) => make('PUT', of(machine, '/config'), anything, { ...change, ...idOf(machine) }, true),
  status: (machine: Machine) => make('GET', of(machine, '/status/current'), statusSchema, idOf(machine)),
  start: (machine: Machine) => make('POST', of(machine, '/status/start'), upidOrNothing, idOf(machine)),
  stop: (machine: Machine) => make('POST', of(machine, '/status/stop'), upidOrNothing, idOf(machine)),
  shutdown: (machine: Machine, timeout?: number) => make('POST', of(machine, '/status/shutdown'), upidOrNothing, { ...idOf(machine), timeout }),
  cloneVm: (machine: Machine, clone: Clone) => make('POST', of(machine, '/clone'), upidOrNothing, cloneForm(machine, clone)),
  toTemplate: (machine: Machine, disk?: string) => make('POST', of(machine, '/template'), upidOrNothing, { ...idOf(machine), disk }),
  resize: (machine: Machine, disk: string, size: string) => make('PUT', of(machine, '/resize'), upidOrNothing, { ...idOf(machine), disk, size }, true),
  deleteVm: (machine: Machine) => make('DELETE', of(machine, ''), upidOrNothing, { ...idOf(machine), purge: true, 'destroy-unreferenced-disks': true }),
  agentPing: ({ node, vmid }: Machine) => make('POST', '/nodes/{node}/qemu/{vmid}/agent/ping', anything, { node, vmid }, true),
  interfaces: ({ node, vmid }: Machine) => make('GET', '/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces', interfacesSchema, { node, vmid }),
  snapshots: (machine: Machine) => make('GET', of(machine, '/snapshot'), z.array(snapshotSchema), idOf(machine)),
  snapshot: (machine: Machine, snapname: string, vmstate: boolean, description?: string) =>
    make('POST', of(machine, '/snapshot'), upidOrNothing, { ...idOf(machine), snapname, vmstate: machine.kind === 'lxc' ? undefined : vmstate, description }),
  rollback: (machine: Machine, snapname: string) => make('POST', of(machine, '/snapshot/{snapname}/rollback'), upidOrNothing, { ...idOf(machine), snapname }),
  deleteSnapshot: (machine: Machine, snapname: string) => make('DELETE', of(machine, '/snapshot/{snapname}'), upidOrNothing, { ...idOf(machine), snapname }),
  /** A running VM takes disks that the other node does not see along only where that is said; one that is off always does. */
  migrate: (machine: Machine, target: string, online: boolean) =>
    make('POST', of(machine, '/migrate'), upidOrNothing, {
      ...idOf(machine),
      target,
      // A container cannot be moved while it runs: it is stopped, moved and started again.
      ...(machine.kind === 'lxc' ? { restart: online ? true : undefined } : { online, 'with-local-disks': online ? true : undefined }),
    }),
  taskStatus: (node: string, upid: string) => make('GET', '/nodes/{node}/tasks/{upid}/status', taskStatusSchema, { node, upid }),
  taskLog: (node: string, upid: string, start: number) => make('GET', '/nodes/{node}/tasks/{upid}/log', taskLogSchema, { node, upid, start, limit: 500 }),
  /** Ends it where it runs. */
  stopTask: (node: string, upid: string) => make('DELETE', '/nodes/{node}/tasks/{upid}', anything, { node, upid }, true),
  activeTasks: (node: string) => make('GET', '/nodes/{node}/tasks', z.array(taskSchema), { node, source: 'active', limit: 500 }),
} as const;

/** The request as it is sent: its path with query, and its form. Flags are 1 and 0. */
export function encodeRequest({ method, path, parameters }: Pick<PveRequest, 'method' | 'path' | 'parameters'>): {
  readonly path: string;
  readonly form: string | undefined;
} {
  const inPath = new Set<string>();
  const filled = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    inPath.add(name);
    return encodeURIComponent(text(parameters[name] ?? ''));
  });
  const rest = new URLSearchParams(Object.entries(parameters).flatMap(([name, value]) => (inPath.has(name) ? [] : [[name, text(value)]]))).toString();
  const inQuery = method === 'GET' || method === 'DELETE';
  return { path: `/api2/json${filled}${inQuery && rest !== '' ? `?${rest}` : ''}`, form: inQuery ? undefined : rest };
}

function text(value: Value): string {
  return typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
}

/** A request in a line, for people: `POST /nodes/pve/qemu vmid=100 name=web`. What is long is cut. */
export function describeRequest({ method, path, parameters }: Pick<PveRequest, 'method' | 'path' | 'parameters'>): string {
  const filled = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => text(parameters[name] ?? ''));
  const words = Object.entries(parameters).flatMap(([name, value]) => (path.includes(`{${name}}`) ? [] : [`${name}=${shown(text(value))}`]));
  return [method, filled, ...words].join(' ');
}

function shown(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ');
  const cut = line.length > 100 ? `${line.slice(0, 99)}…` : line;
  return cut.includes(' ') ? JSON.stringify(cut) : cut;
}
