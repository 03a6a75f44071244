/* What the simulated cluster is made of. */

export interface SimStorage {
  readonly name: string;
  readonly type: string;
  content: string[];
  /** Nodes that have it; none for all. */
  readonly nodes: readonly string[];
  readonly shared: boolean;
  readonly total: number;
  used: number;
}

/** A disk, or an uploaded file. The bytes are a file that nobody changes: whoever boots it writes beside it. */
export interface SimVolume {
  readonly volid: string;
  readonly storage: string;
  /** Of a storage that is not shared. */
  readonly node: string;
  readonly kind: 'import' | 'images' | 'iso' | 'vztmpl';
  readonly size: number;
  readonly file: string | undefined;
  /** What a linked clone stands on. */
  readonly base?: string;
}

export interface SimVm {
  readonly vmid: number;
  /** Without it, a VM. */
  readonly kind?: 'lxc';
  node: string;
  config: Record<string, string>;
  running: boolean;
  guest?: SimGuest;
  snapshots: SimSnapshot[];
}

export interface SimSnapshot {
  readonly name: string;
  readonly description: string;
  readonly parent: string | undefined;
  readonly config: Readonly<Record<string, string>>;
  /** Seconds since 1970. */
  readonly time: number;
}

/** The machine that a start asks for: the bytes that came, on the hardware that the requests named. */
export interface BootRequest {
  readonly vmid: number;
  readonly name: string;
  /** Another one for each VM that ever was. */
  readonly instance: string;
  /** In the order of the configuration: bus and number, and the file with the bytes. */
  readonly disks: readonly { readonly device: string; readonly file: string | undefined; readonly size: number }[];
  readonly cloudInit: { readonly device: string | undefined; readonly user: string; readonly sshKeys: string; readonly ipConfig: string };
  readonly controller: string;
  readonly machine: string;
  readonly bios: string;
  readonly efi: string | undefined;
  readonly tpm: string | undefined;
  readonly cpu: string;
  readonly cores: number;
  readonly memory: number;
  readonly nics: readonly string[];
  readonly serial: boolean;
}

export interface SimGuest {
  /** Whether the agent answers by now. */
  agent(): boolean;
  addresses(): string[];
  stop(): Promise<void>;
}

/** What boots a machine: a stand-in in unit tests, the lab in a system test. */
export type Boot = (request: BootRequest) => Promise<SimGuest>;

export interface SimTask {
  readonly upid: string;
  readonly node: string;
  readonly type: string;
  readonly id: string;
  readonly log: string[];
  /** How often it has to be asked for its status until it ends. */
  polls: number;
  exit: string | undefined;
  readonly run: () => Promise<string | undefined> | string | undefined;
  readonly undo: () => void;
}

export const GIB = 2 ** 30;

/** A guest whose agent answers at the third question. */
export const standInBoot: Boot = () => {
  let asked = 0;
  return Promise.resolve({
    agent: () => (asked += 1) > 2,
    addresses: () => ['192.0.2.10'],
    stop: () => Promise.resolve(),
  });
};
