import type { ResolvedSnap } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';

/**
 * Snaps that each machine installs at its first boot: snapd downloads, mounts and connects them while it runs, so none can be put into a closed disk.
 * cloud-init's module `snap` does it, which knows itself as Ubuntu's and has to be told to run elsewhere. Written as JSON, which is YAML.
 * https://cloudinit.readthedocs.io/en/latest/reference/modules.html#snap
 */
export function snapsChanges(snaps: readonly ResolvedSnap[]): Changes {
  if (snaps.length === 0) return NOTHING;
  const install = ({ name, channel, classic }: ResolvedSnap): string[] => [
    ...['snap', 'install'],
    ...(channel === undefined ? [] : [`--channel=${channel}`]),
    ...(classic ? ['--classic'] : []),
    name,
  ];
  // They run in the order of their names. Until snapd has seeded itself it refuses to install anything.
  const commands = [['snap', 'wait', 'system', 'seed.loaded'], ...snaps.map(install)];
  const named = Object.fromEntries(commands.map((command, i) => [`ingot-${String(i).padStart(3, '0')}`, command]));
  const config = { unverified_modules: ['snap'], snap: { commands: named } };
  return { ...NOTHING, packages: ['snapd'], files: [rootFile('/etc/cloud/cloud.cfg.d/90-ingot-snaps.cfg', `${JSON.stringify(config, undefined, 2)}\n`)] };
}
