import { join } from 'node:path';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { isLocked } from '../../base/lock.ts';
import { hexOf, hostPath, type HostPath, type Key } from '../../base/types.ts';

interface Place {
  readonly host: Pick<Host, 'files' | 'clock'>;
  readonly home: Home;
}

/** Days that an installed disk waits for a build that goes on with it. */
const KEPT_DAYS = 7;

/** The name of the lock under which an installation runs and its disk is taken into the store. */
export function installLock(key: Key): string {
  return lockOf(hexOf(key));
}

function lockOf(hex: string): string {
  return `install-${hex.slice(0, 16)}`;
}

/** The disk of an installation that has ended well and is not in the store yet: whole, since it was renamed. Undefined where there is none. */
export async function findInstalled({ host, home }: Place, key: Key): Promise<HostPath | undefined> {
  const path = home.installedDisk(key);
  return (await host.files.status(path)) === undefined ? undefined : path;
}

/** Moves a disk out of scratch to where it outlives its build, and the machine; where it is from then on. The caller holds {@link installLock}. */
export async function keepInstalled({ host, home }: Place, key: Key, disk: HostPath): Promise<HostPath> {
  const path = home.installedDisk(key);
  await host.files.sync(disk);
  await host.files.makeDirectory(home.installed, 0o700);
  await host.files.rename(disk, path);
  await host.files.sync(home.installed);
  return path;
}

/** Removes the disk of an installation, if there is one: the store has it. */
export async function dropInstalled({ host, home }: Place, key: Key): Promise<void> {
  await host.files.remove(home.installedDisk(key));
}

/** A disk that an installer has left, and that no build is at. */
export interface StaleDisk {
  readonly path: HostPath;
  /** Bytes that it takes on the host. */
  readonly size: number;
}

/** Removes installed disks that no build has gone on with for {@link KEPT_DAYS} days, or `all` that none is at now; which they were. `dryRun` only says so. */
export async function sweepInstalled({ host, home }: Place, { all = false, dryRun = false } = {}): Promise<StaleDisk[]> {
  const swept: StaleDisk[] = [];
  for (const name of await host.files.list(home.installed)) {
    const path = hostPath(join(home.installed, name));
    const status = await host.files.status(path);
    if (status === undefined || isLocked(home, lockOf(name))) continue;
    const days = (host.clock.now().getTime() - status.modified.getTime()) / 86_400_000;
    if (!all && days < KEPT_DAYS) continue;
    if (!dryRun) await host.files.remove(path);
    swept.push({ path, size: status.allocated });
  }
  return swept;
}
