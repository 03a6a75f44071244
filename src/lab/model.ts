import type { Firmware } from '../platforms/local/guest-spec.ts';
import type { WantedForward } from '../platforms/local/forwards.ts';
import type { WantedShare } from '../platforms/local/shares.ts';
import type { LabSource } from '../platforms/local/vms.ts';
import type { WaitGoal } from '../platforms/local/wait.ts';
import type { FileTree } from '../template/template.ts';
import type { HostPath, Name } from '../base/types.ts';

/** A file or folder that a member is given. */
export interface MemberFile {
  /** As the lab file says it. */
  readonly copy: string;
  /** Path in the guest. */
  readonly to: string;
  readonly owner: string;
  readonly tree: FileTree;
  /** Of all that it says and holds. */
  readonly hash: string;
}

/** A program that a member runs. */
export interface MemberScript {
  /** What it is called in messages. */
  readonly label: string;
  readonly content: string;
  readonly always: boolean;
  readonly hash: string;
}

/** One VM of a lab, as the file wants it. */
export interface Member {
  /** Its host name: `db`, `web-1`. */
  readonly name: string;
  /** The VM of the file that it is one of: `web`. */
  readonly group: string;
  /** What it is called among all VMs: `shop-web-1`. */
  readonly vm: Name;
  readonly image: string | undefined;
  readonly roles: readonly string[];
  readonly release: string | undefined;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes; undefined for the default. */
  readonly disk: number | undefined;
  readonly firmware: Firmware | undefined;
  readonly userData: string | undefined;
  readonly forwards: readonly WantedForward[];
  readonly shares: readonly WantedShare[];
  /** Members that have to be ready before it is started. */
  readonly after: readonly string[];
  readonly ready: WaitGoal;
  /** Seconds; undefined for the default. */
  readonly timeout: number | undefined;
  readonly files: readonly MemberFile[];
  readonly scripts: readonly MemberScript[];
  /** What cannot change without making the VM anew. */
  readonly source: LabSource;
}

/** What a lab file asks for. */
export interface Lab {
  readonly name: Name;
  readonly file: HostPath;
  /** `local`, or a target. */
  readonly platform: string;
  /** In the order of the file; those that start first are first where `after` says so. */
  readonly members: readonly Member[];
  /** The network that the file asks for. */
  readonly network: string | undefined;
}
