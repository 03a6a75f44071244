import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { takeLock } from '../base/lock.ts';
import { parseName, type Name } from '../base/types.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { labSourceSchema } from '../platforms/local/vm-record.ts';

/** Version of labs/<name>.json; newer ones are refused. */
const LAB_VERSION = 1;

const labStateSchema = z.object({
  v: z.literal(LAB_VERSION),
  name: z.string(),
  /** The file that was applied last. */
  file: z.string(),
  network: z.object({ subnet: z.string(), group: z.ipv4(), port: z.int() }),
  /** In the order in which they start. */
  members: z.array(z.object({ name: z.string(), vm: z.string(), address: z.ipv4(), after: z.array(z.string()).readonly() })),
});

/** What ingot keeps of a lab beside its VMs: labs/<name>.json. It is written before anything of it is made. */
export type LabState = z.output<typeof labStateSchema>;

/** A member of a lab on a target: all that is known of it stands here, since its VM is elsewhere. */
const remoteMemberSchema = z.object({
  name: z.string(),
  /** What it is called among the VMs of the target. */
  vm: z.string(),
  after: z.array(z.string()).readonly(),
  source: labSourceSchema,
  /** Where it answered last. */
  address: z.string().optional(),
  /** The names that it was told last: a hash. */
  hosts: z.string(),
  /** The files that it was given, by their path in it: hashes. */
  files: z.record(z.string(), z.string()),
  /** The scripts that it ran: hashes. */
  scripts: z.array(z.string()),
});
export type RemoteLabMember = z.output<typeof remoteMemberSchema>;

const remoteLabSchema = z.object({
  v: z.literal(LAB_VERSION),
  /** The target: `proxmox:home`. */
  platform: z.string(),
  name: z.string(),
  file: z.string(),
  /** In the order in which they start. */
  members: z.array(remoteMemberSchema),
});

/** What ingot keeps of a lab on a target. */
export type RemoteLabState = z.output<typeof remoteLabSchema>;

const anySchema = z.union([remoteLabSchema, labStateSchema]);

type Files = Pick<Host, 'files'>;

/** Holds a lab: one command at a time changes it. Says so where it has to wait. */
export function lockLab({ host, home, signal, events }: LabContext, name: Name, what: string): Promise<AsyncDisposable> {
  return takeLock(host, home, `lab-${name}`, {
    what,
    signal,
    onWait: (owner) =>
      events.message('info', `Waiting for ${owner === undefined ? 'another command' : `${owner.what} (process ${owner.pid})`} to be done with the lab ${name}`),
  });
}

/** The names of all labs, sorted. */
export async function labNames(host: Files, home: Home): Promise<Name[]> {
  return (await host.files.list(home.labs)).filter((file) => file.endsWith('.json')).map((file) => parseName(file.slice(0, -'.json'.length), 'a lab'));
}

/** Reads a lab's state, wherever its VMs are; undefined where there is no such lab. Throws `lab-damaged`, `lab-newer`. */
export async function findAnyLab(host: Files, home: Home, name: Name): Promise<LabState | RemoteLabState | undefined> {
  const path = home.lab(name);
  const text = await readTextIfThere(host.files, path);
  if (text === undefined) return undefined;
  const value = parseJson(text);
  const version = z.object({ v: z.int() }).safeParse(value);
  if (version.success && version.data.v > LAB_VERSION) {
    throw new IngotError('host', 'lab-newer', `The lab ${name} was made by a newer ingot`, { hint: 'Update ingot.' });
  }
  const parsed = anySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new IngotError('verification', 'lab-damaged', `${path} is damaged`, {
    hint: 'Remove that file, then run `ingot lab up` with the lab file: VMs of the lab that are there stay.',
  });
}

/** The state of a lab on this host; undefined where there is no such lab. Throws `lab-elsewhere` for one on a target. */
export async function findLab(host: Files, home: Home, name: Name): Promise<LabState | undefined> {
  const state = await findAnyLab(host, home, name);
  if (state === undefined || !('platform' in state)) return state;
  throw new IngotError('conflict', 'lab-elsewhere', `The lab ${name} is on ${state.platform}`, {
    hint: `\`ingot lab down ${name} --delete\` takes it away from there.`,
  });
}

/** The state of a lab on this host; throws `lab-unknown` with the nearest names, `lab-elsewhere`. */
export async function loadLab(host: Files, home: Home, name: Name): Promise<LabState> {
  return (await findLab(host, home, name)) ?? (await unknown(host, home, name));
}

/** The state of a lab, wherever its VMs are; throws `lab-unknown` with the nearest names. */
export async function loadAnyLab(host: Files, home: Home, name: Name): Promise<LabState | RemoteLabState> {
  return (await findAnyLab(host, home, name)) ?? (await unknown(host, home, name));
}

async function unknown(host: Files, home: Home, name: Name): Promise<never> {
  const names = await labNames(host, home);
  const near = nearest(name, names);
  throw new IngotError('not-found', 'lab-unknown', `There is no lab named ${name}`, {
    hint:
      names.length === 0
        ? 'There is no lab yet; `ingot lab up lab.yaml` makes one.'
        : near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : `There are: ${names.join(', ')}.`,
  });
}

/** Writes a lab's state, whole. */
export async function saveLab(host: Files, home: Home, state: LabState | RemoteLabState): Promise<void> {
  await host.files.makeDirectory(home.labs, 0o700);
  await replaceFile(host.files, home.lab(parseName(state.name, 'a lab')), JSON.stringify(state, undefined, 2), 0o600);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
