import { join } from 'node:path';
import { hashValue } from '../../base/hash.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { DISK_SLOTS } from './extra-disks.ts';
import { findFirmware } from './firmware.ts';
import type { Accelerator, GuestSpec } from './guest-spec.ts';
import { qemuArguments } from './qemu-arguments.ts';
import { ramStateKey } from './ram-state.ts';
import { ensureSshKey } from './ssh.ts';
import type { LabContext } from './view.ts';
import { activePath, ROOT_DISK, seedPath } from './vms.ts';
import type { WarmShape } from './warm-record.ts';
import { SETTLE, WAIT } from './warm-script.ts';

/** What of a machine differs from one to the next, and is in no state. */
export interface WarmPlace {
  readonly folder: HostPath;
  readonly chain: readonly HostPath[];
  /** The file of its disk, without folder and ending. */
  readonly active: string;
  readonly id: string;
  readonly mac: string;
  readonly port: number;
  readonly key: HostPath;
  readonly memory?: HostPath;
}

/** The machine that is booted and saved: the same as a VM of that shape has. */
export function warmSpec(shape: WarmShape, accelerator: Accelerator, place: WarmPlace): GuestSpec {
  const { folder, chain, active, id, mac, port, key, memory } = place;
  return {
    name: 'warm',
    id,
    folder,
    arch: shape.arch,
    firmware: shape.firmware,
    accelerator,
    cpus: shape.cpus,
    memory: shape.memory,
    disks: [{ name: ROOT_DISK, chain, file: activePath(folder, active) }],
    slots: DISK_SLOTS,
    seed: seedPath(folder),
    mac,
    ssh: {
      user: shape.user,
      port,
      key,
      knownHosts: hostPath(join(folder, 'known_hosts')),
      ...(shape.sshPort === undefined ? {} : { guestPort: shape.sshPort }),
    },
    ...(memory === undefined ? {} : { memoryFile: { path: memory, written: true } }),
  };
}

/**
 * Names the states that VMs of this shape can start from: of the same QEMU and machine down to each device, the same firmware, image, size of
 * the disk and key for logging in, and of the same way of preparing it.
 */
export async function warmKey(context: LabContext, shape: WarmShape, accelerator: Accelerator): Promise<string> {
  const { host, home } = context;
  const folder = hostPath('/warm');
  const place: WarmPlace = { folder, chain: [], active: 'disk', id: '', mac: '', port: 0, key: folder };
  const firmware = await findFirmware(host, shape.arch, shape.firmware);
  const code = firmware === undefined ? undefined : await host.files.status(firmware.code);
  const words = qemuArguments(warmSpec(shape, accelerator, place), { firmware, disposable: false, sandbox: false });
  const { publicKey } = await ensureSshKey(host, home);
  const machine = [words, code?.version, shape.image.digest, shape.disk, publicKey, hashValue([SETTLE, WAIT])];
  return ramStateKey(host, { arch: shape.arch, accelerator: { kind: accelerator.kind }, machine });
}
