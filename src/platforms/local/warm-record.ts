import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { digestSchema } from '../../store/model.ts';
import { architectureSchema, firmwareSchema } from './guest-spec.ts';
import { hasRamState } from './ram-state.ts';
import { fileIdSchema } from './vm-record.ts';

/** Version of warm.json; a state of another version is of no use, and is pruned. */
const WARM_VERSION = 1;

/** What a machine is saved of, and how large it is. */
export const warmShapeSchema = z.object({
  image: z.object({
    /** As the user wrote it. */
    reference: z.string(),
    digest: digestSchema,
    layers: z.array(digestSchema).min(1),
  }),
  user: z.string(),
  /** Where the guest's sshd listens, where that is not port 22. */
  sshPort: z.int().positive().optional(),
  arch: architectureSchema,
  firmware: firmwareSchema,
  cpus: z.int().positive(),
  /** Bytes. */
  memory: z.int().positive(),
  /** Size of the disk in bytes. */
  disk: z.int().positive(),
});
export type WarmShape = z.output<typeof warmShapeSchema>;

/** A booted machine of an image that VMs start from: warm.json in its folder. */
export const warmStateSchema = z.object({
  v: z.literal(WARM_VERSION),
  /** Its folder's name: see warmKey. */
  key: z.string(),
  shape: warmShapeSchema,
  /** Its disk, in frozen/. */
  frozen: fileIdSchema,
  /** Names of the private host keys that its guest has. */
  hostKeys: z.array(z.string()),
  /** The process in the guest that waits for an identity. */
  pid: z.int().positive(),
  /** The memory's file as it was when it was whole. */
  memory: z.object({ size: z.int(), modified: z.number() }),
  created: z.iso.datetime(),
});
export type WarmState = z.output<typeof warmStateSchema>;

/** The files of a state. */
export function warmFiles(folder: HostPath): { readonly record: HostPath; readonly memory: HostPath; readonly devices: HostPath } {
  const at = (name: string): HostPath => hostPath(join(folder, name));
  return { record: at('warm.json'), memory: at('memory'), devices: at('devices') };
}

/** The record of a state; undefined where there is none, or none that can be read: it can be made again. */
export async function findWarmState(host: Pick<Host, 'files'>, home: Home, key: string): Promise<WarmState | undefined> {
  const text = await readTextIfThere(host.files, warmFiles(home.warmState(key)).record);
  const parsed = warmStateSchema.safeParse(text === undefined ? undefined : parseJson(text));
  return parsed.success && parsed.data.key === key ? parsed.data : undefined;
}

/** All states that can be read, in the order of their keys. */
export async function loadWarmStates(host: Pick<Host, 'files'>, home: Home): Promise<WarmState[]> {
  const found = await Promise.all((await host.files.list(home.warm)).map((key) => findWarmState(host, home, key)));
  return found.filter((state) => state !== undefined);
}

/** Throws `warm-damaged` where a file of the state is gone or has changed since it was written. */
export async function checkWarmState(host: Pick<Host, 'files'>, home: Home, state: WarmState): Promise<void> {
  const files = warmFiles(home.warmState(state.key));
  const [memory, devices, disk] = await Promise.all([
    host.files.status(files.memory),
    hasRamState(host, files.devices),
    host.files.status(home.frozenDisk(state.frozen)),
  ]);
  const whole = memory?.size === state.memory.size && memory.modified.getTime() === state.memory.modified;
  if (whole && devices === 'whole' && disk !== undefined) return;
  throw new IngotError('verification', 'warm-damaged', `The saved machine ${state.key} of ${state.shape.image.reference} is damaged`);
}

/** Bytes of the host's disk that a state takes. */
export async function warmSize(host: Pick<Host, 'files'>, home: Home, state: WarmState): Promise<number> {
  const files = warmFiles(home.warmState(state.key));
  const found = await Promise.all([files.memory, files.devices, home.frozenDisk(state.frozen)].map((path) => host.files.status(path)));
  return found.reduce((sum, status) => sum + (status?.allocated ?? 0), 0);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
