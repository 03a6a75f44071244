import type { Host } from '../base/host.ts';
import { findProgram } from '../base/programs.ts';

/** What a missing tool prevents. */
export type Need = 'build' | 'vm' | 'export';

/** A program or file of the host that ingot uses, and the package that brings it. */
export interface HostTool {
  readonly name: string;
  readonly purpose: string;
  /** Package in Debian and Ubuntu. */
  readonly package: string;
  /** Empty for what only few ask for: it is offered where it is used first, and nobody has to have it. */
  readonly needs: readonly Need[];
  /** Arguments that print the version; none where the tool has no such thing. */
  readonly version?: readonly string[];
  /** Absolute paths of which one must be there, for what is a file and not a program. */
  readonly files?: readonly string[];
}

/**
 * All host tools, in one table: doctor shows them, setup installs them, and whoever uses one names it to
 * {@link requireTools}. Tools that make file systems come from the image itself and are not here.
 */
export const HOST_TOOLS = {
  'qemu-system': { purpose: 'runs VMs', package: 'qemu-system-x86', needs: ['vm'], version: ['--version'] },
  'qemu-img': { purpose: 'makes, checks and converts disks', package: 'qemu-utils', needs: ['build', 'vm', 'export'], version: ['--version'] },
  'qemu-storage-daemon': { purpose: 'opens disks for writing', package: 'qemu-system-common', needs: ['build'], version: ['--version'] },
  ovmf: {
    purpose: 'UEFI firmware for VMs',
    package: 'ovmf',
    needs: ['vm'],
    files: ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'],
  },
  bwrap: { purpose: 'keeps build steps apart from the host', package: 'bubblewrap', needs: ['build'], version: ['--version'] },
  fusermount3: { purpose: 'mounts the disk that is being built', package: 'fuse3', needs: ['build'], version: ['--version'] },
  mformat: { purpose: 'fills the EFI system partition', package: 'mtools', needs: ['build'], version: ['--version'] },
  'apt-get': { purpose: 'resolves and downloads packages', package: 'apt', needs: ['build'], version: ['--version'] },
  'dpkg-deb': { purpose: 'unpacks packages', package: 'dpkg', needs: ['build'], version: ['--version'] },
  gpgv: { purpose: 'verifies signatures of mirrors', package: 'gpgv', needs: ['build'], version: ['--version'] },
  xz: { purpose: 'unpacks packages and disks', package: 'xz-utils', needs: ['build'], version: ['--version'] },
  zstd: { purpose: 'unpacks packages and disks', package: 'zstd', needs: ['build'], version: ['--version'] },
  bzip2: { purpose: 'unpacks disks', package: 'bzip2', needs: [], version: ['--version'] },
  mount: { purpose: 'mounts the disk that is being built', package: 'mount', needs: ['build'], version: ['--version'] },
  unshare: { purpose: 'gives the build a mount namespace', package: 'util-linux', needs: ['build'], version: ['--version'] },
  setsid: {
    purpose: 'keeps Ctrl-C from the workspace until it has taken back what must not stay',
    package: 'util-linux',
    needs: ['build'],
    version: ['--version'],
  },
  nsenter: { purpose: 'enters the namespace of a workspace', package: 'util-linux', needs: ['build'], version: ['--version'] },
  mke2fs: { purpose: 'gives folders to the helper VM', package: 'e2fsprogs', needs: [], version: ['-V'] },
  ssh: { purpose: 'logs in to VMs', package: 'openssh-client', needs: ['vm'], version: ['-V'] },
  'ansible-playbook': { purpose: 'runs the ansible steps of templates', package: 'ansible-core', needs: [], version: ['--version'] },
  swtpm: { purpose: 'is the TPM of VMs that want one', package: 'swtpm', needs: [], version: ['--version'] },
  virtiofsd: {
    purpose: 'shares folders with VMs',
    package: 'virtiofsd',
    needs: [],
    files: ['/usr/libexec/virtiofsd', '/usr/lib/qemu/virtiofsd', '/usr/lib/virtiofsd'],
  },
  sqfstar: { purpose: 'writes images as squashfs', package: 'squashfs-tools', needs: [], version: ['-version'] },
  openssl: { purpose: 'hashes passwords for VMs', package: 'openssl', needs: [], version: ['version'] },
  'ssh-keygen': { purpose: 'makes the key for VMs', package: 'openssh-client', needs: ['vm'] },
} as const satisfies Readonly<Record<string, Omit<HostTool, 'name'>>>;

export type ToolName = keyof typeof HOST_TOOLS;

const QEMU_ARCHITECTURES: Readonly<Record<string, { binary: string; package: string }>> = {
  amd64: { binary: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  arm64: { binary: 'qemu-system-aarch64', package: 'qemu-system-arm' },
};

/** The package that brings QEMU for guests of an architecture, in Debian and Ubuntu. */
export function qemuPackage(arch: string): string {
  return QEMU_ARCHITECTURES[arch]?.package ?? 'qemu-system';
}

/** A tool of the table, with what differs by the host's processor filled in. */
export function hostTool(name: ToolName, arch: string): HostTool & { readonly program: string } {
  const tool: Omit<HostTool, 'name'> = HOST_TOOLS[name];
  const qemu = QEMU_ARCHITECTURES[arch];
  if (name === 'qemu-system' && qemu !== undefined) return { ...tool, name: qemu.binary, program: qemu.binary, package: qemu.package };
  if (name === 'ovmf' && arch === 'arm64') {
    return { ...tool, name, program: name, package: 'qemu-efi-aarch64', files: ['/usr/share/AAVMF/AAVMF_CODE.fd'] };
  }
  return { ...tool, name, program: name };
}

/** Where a tool is on this host, or undefined where it is missing. */
export async function findTool(host: Pick<Host, 'files' | 'machine'>, name: ToolName): Promise<string | undefined> {
  const tool = hostTool(name, host.machine.arch);
  if (tool.files === undefined) return await findProgram(host, tool.program);
  for (const path of tool.files) {
    if ((await host.files.status(path)) !== undefined) return path;
  }
  return undefined;
}

/** Those of the tools that are missing, in the order given. */
export async function missingTools(host: Pick<Host, 'files' | 'machine'>, names: readonly ToolName[]): Promise<ToolName[]> {
  const found = await Promise.all(names.map((name) => findTool(host, name)));
  return names.filter((_, index) => found[index] === undefined);
}

/** The packages that bring the tools, each once, sorted. */
export function packagesOf(names: readonly ToolName[], arch: string): string[] {
  return [...new Set(names.map((name) => hostTool(name, arch).package))].toSorted();
}
