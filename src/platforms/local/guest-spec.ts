import { join } from 'node:path';
import * as z from 'zod';
import { hostPath, type HostPath } from '../../base/types.ts';

export const architectureSchema = z.enum(['amd64', 'arm64']);
/** Debian's name of an architecture that a guest can have. */
export type Architecture = z.output<typeof architectureSchema>;

export const firmwareSchema = z.enum(['bios', 'uefi', 'uefi-secure']);
/** What starts the boot loader; `uefi-secure` verifies it against Microsoft's keys. */
export type Firmware = z.output<typeof firmwareSchema>;

/** What runs the guest's instructions, and how much of it was proven. */
export interface Accelerator {
  readonly kind: 'kvm' | 'hvf' | 'tcg';
  /** A 64-bit guest has really run with it, at a speed that deserves the name. */
  readonly proven: boolean;
  /** A sentence for people: what was tried and what came of it. */
  readonly reason: string;
}

/** How one logs in to a guest. */
export interface SshAccess {
  /** Where it answers; default 127.0.0.1, where the host forwards a port to a guest of its own. */
  readonly address?: string;
  /** Port there that leads to the guest's. */
  readonly port: number;
  /** Where the guest's sshd listens; default 22. */
  readonly guestPort?: number;
  readonly user: string;
  /** Private key. */
  readonly key: HostPath;
  readonly knownHosts: HostPath;
}

/** A disk of a guest. */
export interface GuestDisk {
  /** The guest finds it as /dev/disk/by-id/virtio-<name>. */
  readonly name: string;
  /** What it stands on, bottom first; opened read-only. */
  readonly chain: readonly HostPath[];
  /** What the guest writes to: a qcow2 overlay on the last of the chain. */
  readonly file: HostPath;
  /** The hot-plug slot that it sits in. */
  readonly slot?: number;
}

/** A port of an address of the host that leads to one of the guest's. */
export interface GuestForward {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly host: number;
  readonly guest: number;
}

/** A folder of the host that the guest can mount by its tag. */
export interface GuestShare {
  readonly tag: string;
  readonly kind: 'virtiofs' | '9p';
  readonly host: string;
  readonly readOnly: boolean;
}

/** A network that guests of this host share: QEMU carries its frames as multicast packets of the host's loopback interface. */
export interface GuestNetwork {
  /** Address of the guest's card on it. */
  readonly mac: string;
  /** Multicast address and UDP port that are this network's alone. */
  readonly group: string;
  readonly port: number;
}

/** Everything that a guest is started from. Plain data; the sockets and logs go into its folder. */
export interface GuestSpec {
  readonly name: string;
  /** Identity of the machine, told to the guest by SMBIOS: a UUID. */
  readonly id: string;
  readonly folder: HostPath;
  readonly arch: Architecture;
  readonly firmware: Firmware;
  readonly accelerator: Accelerator;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** The first is the one that it boots from. */
  readonly disks: readonly GuestDisk[];
  /** NoCloud seed, or undefined for none. */
  readonly seed: HostPath | undefined;
  /** An ISO image in the drive of the machine. */
  readonly cdrom?: HostPath;
  /** QEMU ends where the guest starts itself anew, which otherwise it would do for ever: an installer. */
  readonly endsAtReboot?: boolean;
  /** Address of the network card. */
  readonly mac: string;
  readonly ssh: SshAccess;
  /** More ports of the host that lead to the guest's. */
  readonly forwards?: readonly GuestForward[];
  /** Slots that disks can be added to while it runs. */
  readonly slots?: number;
  readonly shares?: readonly GuestShare[];
  readonly tpm?: boolean;
  /** A second card, on a network that only guests are on. */
  readonly network?: GuestNetwork;
  /** The guest reaches nothing: neither the host nor what lies behind it. One can still log in. */
  readonly isolated?: boolean;
  /** A file of the size of the memory, which is the memory; a machine that must not write to it starts from its content. */
  readonly memoryFile?: { readonly path: HostPath; readonly written: boolean };
  /** Boots this kernel instead of the disk's own boot loader. */
  readonly kernel?: { readonly image: HostPath; readonly initrd?: HostPath; readonly append: string };
}

/** The files in a guest's folder, all of them. */
export interface GuestFiles {
  readonly console: HostPath;
  /** The console log of the start before this one. */
  readonly previousConsole: HostPath;
  readonly qmp: HostPath;
  readonly serial: HostPath;
  readonly agent: HostPath;
  readonly pid: HostPath;
  /** What QEMU itself wrote to standard error. */
  readonly log: HostPath;
  /** The UEFI variables of this guest. */
  readonly efiVariables: HostPath;
  /** The process id of the QEMU whose guest has let somebody log in. */
  readonly ready: HostPath;
  /** Where its TPM listens. */
  readonly tpm: HostPath;
  /** A folder: what its TPM knows. */
  readonly tpmState: HostPath;
  /** Where the program listens that serves a share. */
  share(tag: string): HostPath;
}

/** Names the files in a guest's folder. */
export function guestFiles(folder: HostPath): GuestFiles {
  const at = (name: string): HostPath => hostPath(join(folder, name));
  return {
    console: at('console.log'),
    previousConsole: at('console.log.1'),
    qmp: at('qmp.sock'),
    serial: at('serial.sock'),
    agent: at('agent.sock'),
    pid: at('qemu.pid'),
    log: at('qemu.log'),
    efiVariables: at('efivars.fd'),
    ready: at('ssh-ready'),
    tpm: at('tpm.sock'),
    tpmState: at('tpm'),
    share: (tag) => at(`${tag}.sock`),
  };
}
