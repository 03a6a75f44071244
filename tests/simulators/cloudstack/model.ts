/* What the simulated cloud is made of. */

export const GIB = 2 ** 30;

export interface SimZone {
  readonly id: string;
  readonly name: string;
  enabled: boolean;
  hypervisors: string[];
  ssvm: 'Running' | 'Stopped' | 'none';
  readonly storeSize: number;
  storeUsed: number;
  /** Downloads stay at this percent for ever. */
  stallsAt?: number | undefined;
  /** What a download ends with, instead of being done. */
  failsWith?: string | undefined;
  /** What deploying an instance ends with. */
  deployFails?: string | undefined;
}

/** A template in one zone. */
export interface SimRow {
  readonly zoneid: string;
  ready: boolean;
  /** It has ended, and nothing came. */
  failed: boolean;
  status: string;
  percent: number;
  /** The bytes, once they came. */
  file: string | undefined;
  /** What runs on its own; how often a list has to be asked for before its end is waited for. */
  work: Promise<void> | undefined;
  polls: number;
}

export interface SimTemplate {
  readonly id: string;
  name: string;
  displaytext: string;
  readonly format: string;
  readonly hypervisor: string;
  readonly checksum: string;
  readonly ostypeid: string | undefined;
  readonly url: string | undefined;
  readonly fields: Readonly<Record<string, boolean>>;
  readonly details: Readonly<Record<string, string>>;
  ispublic: boolean;
  isfeatured: boolean;
  readonly crossZones: boolean;
  readonly tags: Map<string, string>;
  readonly rows: Map<string, SimRow>;
  readonly created: string;
}

export interface SimVm {
  readonly id: string;
  readonly name: string;
  readonly zoneid: string;
  readonly templateid: string;
  state: 'Starting' | 'Running' | 'Stopping' | 'Stopped' | 'Error' | 'Expunging';
  readonly address: string;
  readonly keypairs: readonly string[];
  password: string | undefined;
  displayname: string;
  offering: string;
  cpus: number;
  /** MiB. */
  memory: number;
  /** GiB; none before the first start. */
  disk: number | undefined;
  readonly volume: string;
  readonly network: string | undefined;
  readonly tags: Map<string, string>;
  readonly snapshots: SimSnapshot[];
  host: string;
  readonly parameters: Readonly<Record<string, string>>;
  guest?: SimGuest | undefined;
}

/** One that runs, and nothing more is known of. */
export function simVm(known: Pick<SimVm, 'id' | 'name' | 'zoneid' | 'templateid' | 'address'>): SimVm {
  return {
    state: 'Running',
    keypairs: [],
    password: undefined,
    displayname: known.name,
    offering: '',
    cpus: 1,
    memory: 1024,
    disk: 1,
    volume: '',
    network: undefined,
    tags: new Map(),
    snapshots: [],
    host: '',
    parameters: {},
    ...known,
  };
}

export interface SimSnapshot {
  readonly id: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly created: string;
  readonly parent: string | undefined;
  current: boolean;
  readonly size: { readonly offering: string; readonly cpus: number; readonly memory: number };
}

/** Of one disk, on secondary storage. */
export interface SimDiskSnapshot {
  readonly id: string;
  readonly name: string;
  readonly volume: string;
  state: 'BackingUp' | 'BackedUp';
}

export interface SimKubernetesVersion {
  readonly id: string;
  readonly semanticversion: string;
  readonly name: string;
  readonly zoneid: string | undefined;
  readonly mincpunumber: number;
  readonly minmemory: number;
  readonly iso: string;
}

export interface SimOffering {
  readonly id: string;
  readonly name: string;
  readonly cpunumber?: number;
  readonly memory?: number;
  readonly cpuspeed?: number;
  readonly iscustomized: boolean;
  readonly serviceofferingdetails?: Readonly<Record<string, string>>;
}

export interface SimNetwork {
  readonly id: string;
  readonly name: string;
  readonly zoneid: string;
  readonly type: 'Shared' | 'Isolated';
  readonly netmask: string;
}

/** A public address of an isolated network. */
export interface SimPublicAddress {
  readonly id: string;
  readonly ipaddress: string;
  readonly network: string;
}

export interface SimForward {
  readonly id: string;
  readonly address: string;
  readonly vm: string;
  readonly privateport: string;
  readonly publicport: string;
  readonly tags: Map<string, string>;
}

export interface SimFirewallRule {
  readonly id: string;
  readonly address: string;
  readonly port: string;
  readonly cidrlist: string;
}

/** The machine that a deployment asks for: the bytes that came, and what its metadata server or ConfigDrive says. */
export interface BootRequest {
  readonly id: string;
  readonly name: string;
  readonly hypervisor: string;
  readonly format: string;
  readonly file: string;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** GiB; none for the size of the template. */
  readonly rootDisk: number | undefined;
  readonly bootType: string | undefined;
  readonly bootMode: string | undefined;
  /** Of template and instance: `rootDiskController`. */
  readonly details: Readonly<Record<string, string>>;
  readonly metadata: {
    readonly hostname: string;
    readonly publicKeys: string;
    readonly userData: string | undefined;
    /** What the password server gives out, once. */
    readonly password: string | undefined;
  };
}

export interface SimGuest {
  /** Where it is reached, when it is not the address that the cloud gave it. */
  address(): string | undefined;
  /** A number that grows while it does something; what a hypervisor measures of its disk. */
  activity?(): number;
  reboot(): Promise<void>;
  stop(): Promise<void>;
}

/** What boots a machine: a stand-in in unit tests, the lab in a system test. */
export type Boot = (request: BootRequest) => Promise<SimGuest>;

export const standInBoot: Boot = () => Promise.resolve({ address: () => undefined, reboot: () => Promise.resolve(), stop: () => Promise.resolve() });

export interface SimJob {
  readonly id: string;
  readonly command: string;
  polls: number;
  status: 0 | 1 | 2;
  result: unknown;
  readonly run: () => Promise<unknown>;
  readonly undo: (() => void) | undefined;
  /** It is at work: done once, however often it is asked for. */
  work?: Promise<void> | undefined;
}

/** What a command is refused with. */
export class SimRefusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
