import { IngotError } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import { formatSize } from '../base/types.ts';
import { requireTools } from '../doctor/install.ts';
import type { ToolName } from '../doctor/tools.ts';
import type { Context } from '../operations/operation.ts';
import type { PlaceKind } from '../workspace/place.ts';
import { SPACE_NEEDED } from './layer.ts';

/** Debian's architecture -> name of its emulator in binfmt_misc. */
const EMULATORS: Readonly<Record<string, { readonly format: string; readonly package: string }>> = {
  amd64: { format: 'qemu-x86_64', package: 'qemu-user-static' },
  arm64: { format: 'qemu-aarch64', package: 'qemu-user-static' },
};

/** What a build uses of the host, wherever its disks are opened. */
const TOOLS: readonly ToolName[] = ['apt-get', 'dpkg-deb', 'xz', 'mformat', 'qemu-img'];
/** What opening them takes. */
export const PLACE_TOOLS: Readonly<Record<PlaceKind, readonly ToolName[]>> = {
  host: ['bwrap', 'mount', 'unshare', 'nsenter', 'qemu-storage-daemon', 'fusermount3'],
  vm: ['qemu-system', 'mke2fs'],
};

/**
 * Checks that this host can build for an architecture in a place, and installs tools that are missing after the user agrees. Throws
 * `host-unsupported`, `tools-missing`, `consent-needed`, `arch-not-emulated`, `disk-full`.
 */
export async function requireBuildHost(context: Context, arch: string, place: PlaceKind): Promise<void> {
  const { host, home } = context;
  if (host.machine.platform !== 'linux' && place === 'host') {
    throw new IngotError('host', 'host-unsupported', `Disks cannot be opened on ${host.machine.platform} itself: that needs Linux`, {
      hint: 'Use --workspace vm, or build on a Linux machine.',
    });
  }
  await requireTools(context, [...TOOLS, ...PLACE_TOOLS[place]]);
  if (arch !== host.machine.arch) {
    if (place === 'vm') {
      throw new IngotError('host', 'arch-not-emulated', `The helper VM runs programs of ${host.machine.arch} only, and this image is for ${arch}`, {
        hint: 'Use --workspace host, or build on a machine of that architecture.',
      });
    }
    await requireEmulation(context, arch);
  }
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
