import { join } from 'node:path';
import type { Home } from '../../base/home.ts';
import { fileTime, type Host } from '../../base/host.ts';
import { hexOf, hostPath, type HostPath, type Key } from '../../base/types.ts';

/** How many installations of one name keep their logs. */
export const KEPT_INSTALL_LOGS = 10;

/** Makes the folder of one installation, `logs/installs/<name>/<time>-<key>/`, and removes the oldest above {@link KEPT_INSTALL_LOGS}. */
export async function makeInstallLogs(host: Pick<Host, 'files' | 'clock'>, home: Home, name: string, key: Key): Promise<HostPath> {
  const folder = join(home.installLogs, name);
  // Names start with the time: sorted is oldest first. One place is for the installation that starts now.
  const old = await host.files.list(folder);
  for (const each of old.slice(0, Math.max(0, old.length - KEPT_INSTALL_LOGS + 1))) await host.files.remove(join(folder, each));
  const path = hostPath(join(folder, `${fileTime(host.clock)}-${hexOf(key).slice(0, 12)}`));
  await host.files.makeDirectory(path);
  return path;
}
