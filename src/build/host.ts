import { IngotError } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import { formatSize } from '../base/types.ts';
import { requireTools } from '../doctor/install.ts';
import type { Context } from '../operations/operation.ts';
import { SPACE_NEEDED } from './layer.ts';

/** Debian's architecture -> name of its emulator in binfmt_misc. */
const EMULATORS: Readonly<Record<string, { readonly format: string; readonly package: string }>> = {
  amd64: { format: 'qemu-x86_64', package: 'qemu-user-static' },
  arm64: { format: 'qemu-aarch64', package: 'qemu-user-static' },
};

/**
 * Checks that this host can build for an architecture, and installs tools that are missing after the user agrees. Throws
 * `host-unsupported`, `tools-missing`, `consent-needed`, `arch-not-emulated`, `disk-full`.
 */
export async function requireBuildHost(context: Context, arch: string): Promise<void> {
  const { host, home } = context;
  if (host.machine.platform !== 'linux') {
    throw new IngotError('host', 'host-unsupported', `Images cannot be built on ${host.machine.platform}: opening their disks needs Linux`, {
      hint: 'Build on a Linux machine.',
    });
  }
  await requireTools(context, [
    'bwrap',
    'mount',
    'unshare',
    'nsenter',
    'apt-get',
    'dpkg-deb',
    'xz',
    'mformat',
    'qemu-img',
    'qemu-storage-daemon',
    'fusermount3',
  ]);
  if (arch !== host.machine.arch) await requireEmulation(context, arch);
  const free = await host.files.freeSpace(home.root);
  if (free < SPACE_NEEDED) {
    throw new IngotError('space', 'disk-full', `${home.root} has ${formatSize(free)} free; a build needs ${formatSize(SPACE_NEEDED)}`, {
      hint: 'Free some space there (ingot image prune), or set INGOT_HOME to a larger disk.',
    });
  }
}

/** Programs of another architecture run in the image while it is built; the kernel must know by which emulator. */
async function requireEmulation(context: Context, arch: string): Promise<void> {
  const emulator = EMULATORS[arch];
  const text = emulator === undefined ? undefined : await readTextIfThere(context.host.files, `/proc/sys/fs/binfmt_misc/${emulator.format}`);
  // F: the kernel holds the emulator open, so that it is found from inside the image too.
  if (text !== undefined && /^enabled/m.test(text) && /^flags:.*F/m.test(text)) return;
  throw new IngotError('host', 'arch-not-emulated', `This host runs ${context.host.machine.arch} and has no emulator registered for ${arch} programs`, {
    hint: emulator === undefined ? 'Build on a machine of that architecture.' : `Install it: apt-get install ${emulator.package} binfmt-support`,
  });
}
