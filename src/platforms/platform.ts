import * as z from 'zod';
import type { Events, Span } from '../base/events.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { HostPath } from '../base/types.ts';
import type { ImageDetails } from '../store/model.ts';
import type { KubernetesVersions } from './kubernetes-versions.ts';
import type { RemoteTemplates } from './remote-templates.ts';
import type { RemoteContainers, RemoteVms } from './remote-vms.ts';

/*
 * The words that every platform answers to, besides the lab. A platform is a folder beside this file and a line in publish/adapters.ts; what it cannot do
 * stands in its capabilities, so that nobody asks for its name.
 */

/** What people write for a target: `proxmox:home`. */
export function targetReference({ platform, name }: { readonly platform: string; readonly name: string }): string {
  return `${platform}:${name}`;
}

/** What an adapter works with; a `Context` of an operation has it all. */
export interface PlatformContext {
  readonly host: Host;
  readonly home: Home;
  readonly events: Events;
  readonly signal: AbortSignal;
  consent(question: string): Promise<boolean>;
}

/** What an image is, as far as a platform needs to know. */
export interface PublishedImage {
  /** What people call it there: the image's name. */
  readonly name: string;
  /** The reference that was published: `web:20260101-0123abcd`. */
  readonly reference: string;
  /** Digest of the manifest. */
  readonly digest: string;
  readonly id: string;
  readonly architecture: string;
  readonly details: ImageDetails;
  /** What the gate here found, in words. */
  readonly gate: string;
  /** The publication's name, which marks what is made there. */
  readonly publication: string;
  /** What it has to do in a guest besides what every image does: the tests of its template. */
  readonly tests?: GuestTests;
}

/** Tests that run in a guest as one script of its root; each is a check of that name. */
export interface GuestTests {
  readonly names: readonly string[];
  readonly script: string;
  /** Seconds that all of them may take. */
  readonly limit: number;
  /** What each found, by what the script printed. */
  read(output: string): readonly TargetCheck[];
}

/** The formats in which platforms take disks; every one is of the table of formats. */
export const DISK_FORMATS = ['qcow2', 'raw', 'vhd', 'ova'] as const;

/** What a place takes: the file's format, and whose drivers and tools the guest needs. */
export const diskWishSchema = z.strictObject({
  format: z.enum(DISK_FORMATS),
  guest: z.enum(['kvm', 'xen', 'vmware']),
  /** Of the format, as `image export` takes them. */
  options: z.record(z.string(), z.string()).optional(),
});
export type DiskWish = z.output<typeof diskWishSchema>;

/** A flat file that holds an image's disk. */
export interface ExportedDisk {
  readonly path: HostPath;
  readonly format: DiskWish['format'];
  readonly size: number;
  /** Hexadecimal digits. */
  readonly sha256: string;
}

/** What one asks of the machine that a template describes; what is left out is decided by the image and the target. */
export const machineWishSchema = z.object({
  cpus: z.int().min(1).max(512).optional(),
  /** MiB. */
  memory: z.int().min(16).optional(),
  /** MiB below which the host may not take memory back; 0 switches ballooning off. */
  balloon: z.int().min(0).optional(),
  cpuType: z.string().optional(),
  numa: z.boolean().optional(),
  firmware: z.enum(['bios', 'uefi', 'uefi-secure']).optional(),
  tpm: z.boolean().optional(),
  display: z.enum(['serial', 'std']).optional(),
  bridge: z.string().optional(),
  vlan: z.int().min(1).max(4094).optional(),
  mtu: z.int().min(1).max(65_520).optional(),
  firewall: z.boolean().optional(),
  ip: z.string().optional(),
  gateway: z.string().optional(),
  nameserver: z.string().optional(),
  searchDomain: z.string().optional(),
  user: z.string().optional(),
  sshKeys: z.array(z.string()).optional(),
  tags: z.array(z.string()).optional(),
  pool: z.string().optional(),
  startWithHost: z.boolean().optional(),
  /** Where machines are of given sizes: that of the trial, by name or identifier. */
  offering: z.string().optional(),
  /** Networks of the trial, by name or identifier. */
  networks: z.array(z.string()).optional(),
  /** What the platform calls the operating system. */
  osType: z.string().optional(),
  /** Settings of the platform's own for VMs made from it. */
  details: z.record(z.string(), z.string()).optional(),
  /** Who may use it once it is current. */
  visibility: z.enum(['private', 'public', 'featured']).optional(),
});
export type MachineWish = z.output<typeof machineWishSchema>;

/**
 * How the file comes there, where there is a choice: `serve` lets the platform fetch it from here, at an address that it reaches; `upload` sends it; `url`
 * lets it fetch the same file from elsewhere.
 */
export type TransferWish =
  | {
      readonly kind: 'serve';
      /** Address, or address:port. */
      readonly address?: string | undefined;
      /** Name of the secret that holds a certificate and its key in PEM; without one, plain HTTP. */
      readonly tls?: string | undefined;
    }
  | { readonly kind: 'upload' }
  | { readonly kind: 'url'; readonly url: string; readonly sha256: string };

/** Where one wants it; what is left out is planned. */
export interface PlaceWish {
  /** Nodes or zones; none for the best one. */
  readonly nodes: readonly string[];
  readonly allNodes: boolean;
  /** In addition to those that it is proven in, which stay. */
  readonly besides?: boolean | undefined;
  readonly storage?: string | undefined;
  readonly uploadStorage?: string | undefined;
  /** Identifiers from these on, where the platform has numbers: first and last. */
  readonly ids?: readonly [number, number] | undefined;
  /** Of the template: `{name}-{digest}`. */
  readonly namePattern?: string | undefined;
  /** Where a node can have several: the one to publish for. */
  readonly hypervisor?: string | undefined;
  readonly transfer?: TransferWish | undefined;
}

/** What an adapter remembers of a place in the journal; it alone knows what is inside. */
export const factsSchema = z.record(z.string(), z.unknown());
export type Facts = z.output<typeof factsSchema>;

export interface PlannedPlace {
  /** What tells it from the other places of a publication: the node's name. */
  readonly id: string;
  readonly facts: Facts;
  readonly disk: DiskWish;
  /** Each decision in a sentence, with its reason. */
  readonly why: readonly string[];
}

export interface PublishPlan {
  readonly places: readonly PlannedPlace[];
  readonly warnings: readonly string[];
  /** The requests that would be made, one in a line. */
  readonly calls: readonly string[];
}

/** A place of a publication while it is worked on. What `record` gets is in the journal, on the disk, before it returns. */
export interface Place {
  readonly id: string;
  readonly facts: Facts;
  record(change: Facts): Promise<void>;
}

/** One thing that was looked at on the target. `not-run` is never shown as passed. */
export const targetCheckSchema = z.object({
  name: z.string(),
  result: z.enum(['passed', 'failed', 'not-run']),
  detail: z.string().optional(),
  seconds: z.number().optional(),
});
export type TargetCheck = z.output<typeof targetCheckSchema>;

/** Something on a target that is otherwise than it was published. */
export const driftSchema = z.object({ what: z.string(), published: z.string(), found: z.string() });
export type Drift = z.output<typeof driftSchema>;

/**
 * A VM that stands on a template. `linked` would lose its disk with the template, `perhaps` cannot be told from a full clone; `source` keeps its disk, but cannot be
 * made anew from a template that is gone, so the platform refuses to remove that unless it is forced.
 */
export const lineageSchema = z.object({ id: z.string(), name: z.string(), place: z.string(), link: z.enum(['linked', 'perhaps', 'source', 'full']) });
export type LineageVm = z.output<typeof lineageSchema>;

export interface ValidateOptions {
  /** Log in to the trial VM from here; else what only a login shows is `not-run`. */
  readonly ssh: boolean;
  readonly span?: Span | undefined;
}

/**
 * What publishing needs of a platform. Every step may be called again after it was cut at any point, and finds out by itself how far it came: it leaves nothing
 * behind that is not in the facts.
 */
export interface Publisher {
  /** Asks the platform and changes nothing. */
  plan(image: PublishedImage, size: { readonly virtual: number; readonly file: number }, wish: PlaceWish, machine: MachineWish): Promise<PublishPlan>;
  /** Brings the file there; one that has arrived is not sent again. `disk` makes the file, once for all places, where it is needed. */
  upload(place: Place, image: PublishedImage, disk: () => Promise<ExportedDisk>, span?: Span): Promise<void>;
  /** Makes what will be the template, from the file that was uploaded. */
  importImage(place: Place, image: PublishedImage, machine: MachineWish, span?: Span): Promise<void>;
  /** Proves it on a throw-away copy, which is gone afterwards. */
  validate(place: Place, image: PublishedImage, options: ValidateOptions): Promise<TargetCheck[]>;
  /** Makes it the template, and reads it again: it is what it should be. */
  seal(place: Place, span?: Span): Promise<void>;
  /** Removes the file that was uploaded. */
  dropUpload(place: Place): Promise<void>;
  /** Marks it as the one that is used, or no longer. */
  setCurrent(place: Place, current: boolean): Promise<void>;
  /** Whether the template is there, and as it was left. */
  intact(place: Place): Promise<boolean>;
  /** What is there otherwise than it was left; `current`: whether it should be the one that is used. Changes nothing. */
  drift(place: Place, current: boolean): Promise<Drift[]>;
  /** Where a template can be copied from place to place: what to wish for, so that another place gets the very same. */
  like?(place: Pick<Place, 'facts'>): Pick<PlaceWish, 'hypervisor' | 'namePattern' | 'transfer'>;
  /** Forgets in what is known of a place that another one shared something with it, and is gone. */
  without?(place: Place, gone: Pick<Place, 'facts'>): Promise<void>;
  /** The VMs that stand on it, as the platform knows them now. */
  users(place: Place): Promise<LineageVm[]>;
  /** Removes all that the facts name, however far it came; what is not ours stays. Undoing, so it goes on after Ctrl-C. */
  remove(place: Place): Promise<void>;
  /** What people see of it: `VM 9000 on pve`. */
  describe(place: Pick<Place, 'facts'>): string;
}

export interface Capabilities {
  readonly linkedClones: boolean;
  readonly snapshots: boolean;
  readonly migrate: boolean;
  readonly resize: boolean;
  readonly console: boolean;
}

/** One line of what `target check` found. */
export const targetFindingSchema = z.object({
  name: z.string(),
  result: z.enum(['passed', 'failed', 'warning']),
  detail: z.string(),
  /** What mends it, as a line to be pasted. */
  remedy: z.string().optional(),
});
export type TargetFinding = z.output<typeof targetFindingSchema>;

/** An opened connection to a target. */
export interface Platform extends AsyncDisposable {
  readonly capabilities: Capabilities;
  readonly publisher: Publisher;
  /** Where it runs VMs for `--on`. */
  readonly vms: RemoteVms;
  /** Where it has them. */
  readonly containers?: RemoteContainers;
  /** Where it gives its templates out as files. */
  readonly templates?: RemoteTemplates;
  /** Where it makes Kubernetes clusters itself. */
  readonly kubernetesVersions?: KubernetesVersions;
  check(): Promise<TargetFinding[]>;
}
