import * as z from 'zod';
import type { Span } from '../base/events.ts';
import type { HostPath } from '../base/types.ts';
import type { Facts, MachineWish } from './platform.ts';

/*
 * VMs on a target: the words of `ingot vm`, as far as a platform has them. What a platform is asked for a VM names it by what `find` returned.
 */

/** A VM on a target, as it is shown. */
export const remoteVmSchema = z.strictObject({
  kind: z.enum(['vm', 'container']),
  name: z.string(),
  on: z.string().describe('The target, PLATFORM:NAME'),
  id: z.string().describe('What the platform itself calls it'),
  place: z.string().describe('Its node or zone'),
  state: z.enum(['running', 'paused', 'suspended', 'stopped', 'busy', 'unfinished']).describe('unfinished: it was being made when that was cut'),
  cpus: z.int().optional(),
  memory: z.int().optional().describe('Bytes'),
  disk: z.int().optional().describe('Bytes'),
  asked: z
    .strictObject({ cpus: z.int(), memory: z.int().describe('Bytes') })
    .optional()
    .describe('What was asked for, where the platform has only certain sizes, and this is larger'),
  ours: z.boolean().describe('It was made by ingot'),
});
export type RemoteVm = z.output<typeof remoteVmSchema>;

/** A VM with what has to be asked for it alone. */
export const remoteVmDetailsSchema = remoteVmSchema.extend({
  image: z.string().optional().describe('The publication that it was made from; of a container, the image'),
  address: z.string().optional().describe('Where it is reached, as far as the guest tells'),
  user: z.string().optional().describe('Who logs in'),
  snapshots: z.int().describe('How many it has'),
  console: z.string().optional().describe('Where a browser shows its console'),
});
export type RemoteVmDetails = z.output<typeof remoteVmDetailsSchema>;

/** How a VM is reached from here. */
export interface RemoteAccess {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** What no other VM ever has, for the file that its host key is kept in. */
  readonly identity: string;
}

export const remoteSnapshotSchema = z.strictObject({
  name: z.string(),
  created: z.iso.datetime().optional(),
  description: z.string().optional(),
  parent: z.string().optional(),
});
export type RemoteSnapshot = z.output<typeof remoteSnapshotSchema>;

/** The template that a VM is made from. */
export interface TemplateOf {
  readonly publication: string;
  readonly reference: string;
  readonly places: readonly { readonly id: string; readonly facts: Facts }[];
}

/** Files for cloud-init that take the place of what the platform itself tells a guest. */
export interface RemoteSeed {
  readonly userData?: string | undefined;
  readonly networkConfig?: string | undefined;
  readonly vendorData?: string | undefined;
}

/** A template that was made of a VM. It is the user's: ingot marks it with where it is from, and does not change it afterwards. */
export interface RemoteTemplate {
  readonly name: string;
  readonly id: string;
  readonly place: string;
}

export interface NewRemoteVm {
  readonly name: string;
  readonly template: TemplateOf;
  /** Its keys are those that may log in, ingot's own among them. */
  readonly machine: MachineWish;
  /** Bytes; undefined for the template's. */
  readonly disk?: number | undefined;
  readonly seed?: RemoteSeed | undefined;
  /** Node or zone; none for the best one that has the template. */
  readonly place?: string | undefined;
  /** Copy the template's disk, where a linked clone would do. */
  readonly full: boolean;
  readonly start: boolean;
  readonly span?: Span | undefined;
}

export interface NewContainer {
  readonly name: string;
  readonly image: { readonly reference: string; readonly name: string; readonly digest: string };
  /** Makes the archive of its root file system; called only where the target has not got it. */
  readonly archive: () => Promise<{ readonly path: HostPath; readonly size: number; readonly sha256: string }>;
  readonly machine: MachineWish;
  /** Bytes. */
  readonly disk: number;
  readonly place?: string | undefined;
  readonly storage?: string | undefined;
  /** Its root is nobody outside. */
  readonly unprivileged: boolean;
  /** Containers may run in it. */
  readonly nesting: boolean;
  readonly start: boolean;
  readonly span?: Span | undefined;
}

/** What `ct --on` needs of a platform: the words of {@link RemoteVms}, only that a container is made of an archive. */
export interface RemoteContainers extends Omit<RemoteVms, 'create' | 'makeTemplate'> {
  create(container: NewContainer): Promise<RemoteVm>;
  /** Makes it the template of clones; it does not start any more. */
  toTemplate(container: RemoteVm, span?: Span): Promise<void>;
}

/** What `vm --on` needs of a platform. Every change looks first whether it is done already, so that it can be asked for again after it was cut. */
export interface RemoteVms {
  /** VMs that ingot made, or all. */
  list(options: { readonly all: boolean }): Promise<RemoteVm[]>;
  /** The one VM of that name, or of that identifier. Throws `vm-unknown` with the nearest names, `vm-ambiguous`. */
  find(name: string): Promise<RemoteVm>;
  details(vm: RemoteVm): Promise<RemoteVmDetails>;
  /** Makes it whole or not at all; what a cut one left of that name is removed first. Throws `vm-exists`. */
  create(vm: NewRemoteVm): Promise<RemoteVm>;
  start(vm: RemoteVm, span?: Span): Promise<void>;
  /** Asks the guest to shut down, and ends it by force where it has not in so many seconds. */
  stop(vm: RemoteVm, options: { readonly timeout: number; readonly force: boolean }, span?: Span): Promise<'shut-down' | 'forced' | 'not-running'>;
  /** With its disks; it must be off. Throws `vm-not-ours`. */
  delete(vm: RemoteVm, span?: Span): Promise<void>;
  /** Waits until the guest has an address; makes the way there where the platform needs one. Throws `guest-silent`. */
  access(vm: RemoteVm, span?: Span): Promise<RemoteAccess>;
  /** What its guest has done so far, in numbers that grow: a text that is another one while it does something. Nothing where the platform does not measure it. */
  activity(vm: RemoteVm): Promise<string | undefined>;
  /** Where a browser shows its console; the address may be good for one session alone, and then opens it to whoever has it. Throws `console-missing`. */
  console(vm: RemoteVm): Promise<string>;
  clone(vm: RemoteVm, to: { readonly name: string; readonly place?: string | undefined; readonly start: boolean }, span?: Span): Promise<RemoteVm>;
  /** Memory and disk in bytes. */
  resize(
    vm: RemoteVm,
    to: { readonly cpus?: number | undefined; readonly memory?: number | undefined; readonly disk?: number | undefined },
    span?: Span,
  ): Promise<void>;
  migrate(vm: RemoteVm, place: string, span?: Span): Promise<void>;
  snapshots(vm: RemoteVm): Promise<RemoteSnapshot[]>;
  snapshot(vm: RemoteVm, snapshot: { readonly name: string; readonly description?: string | undefined; readonly memory: boolean }, span?: Span): Promise<void>;
  restore(vm: RemoteVm, snapshot: string, span?: Span): Promise<void>;
  deleteSnapshot(vm: RemoteVm, snapshot: string, span?: Span): Promise<void>;
  /**
   * Makes a template of a VM that is off, or of one of its snapshots; the VM stays. Missing where the platform has no such thing. Throws `vm-running`,
   * `snapshot-unknown`, `template-exists`.
   */
  makeTemplate?(
    vm: RemoteVm,
    template: { readonly name: string; readonly snapshot?: string | undefined; readonly osType?: string | undefined },
    span?: Span,
  ): Promise<RemoteTemplate>;
}
