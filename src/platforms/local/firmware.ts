import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { Architecture, Firmware } from './guest-spec.ts';

/** A build of EDK II: the code, and the variables that a new machine starts with. */
export interface FirmwareFiles {
  readonly code: HostPath;
  readonly variables: HostPath;
}

interface Candidate {
  readonly code: string;
  readonly variables: string;
}

const pair = (folder: string, code: string, variables: string): Candidate => ({ code: `${folder}/${code}`, variables: `${folder}/${variables}` });

/** Where distributions keep the files, best first: Debian and Ubuntu, Fedora and its kin, Arch, SUSE, Homebrew. */
const CANDIDATES: Readonly<Record<Architecture, Readonly<Partial<Record<Firmware, readonly Candidate[]>>>>> = {
  amd64: {
    uefi: [
      pair('/usr/share/OVMF', 'OVMF_CODE_4M.fd', 'OVMF_VARS_4M.fd'),
      pair('/usr/share/OVMF', 'OVMF_CODE.fd', 'OVMF_VARS.fd'),
      pair('/usr/share/edk2/ovmf', 'OVMF_CODE.fd', 'OVMF_VARS.fd'),
      pair('/usr/share/edk2/x64', 'OVMF_CODE.4m.fd', 'OVMF_VARS.4m.fd'),
      pair('/usr/share/qemu', 'ovmf-x86_64-4m-code.bin', 'ovmf-x86_64-4m-vars.bin'),
      pair('/opt/homebrew/share/qemu', 'edk2-x86_64-code.fd', 'edk2-i386-vars.fd'),
      pair('/usr/local/share/qemu', 'edk2-x86_64-code.fd', 'edk2-i386-vars.fd'),
    ],
    'uefi-secure': [
      pair('/usr/share/OVMF', 'OVMF_CODE_4M.secboot.fd', 'OVMF_VARS_4M.ms.fd'),
      pair('/usr/share/OVMF', 'OVMF_CODE.secboot.fd', 'OVMF_VARS.ms.fd'),
      pair('/usr/share/edk2/ovmf', 'OVMF_CODE.secboot.fd', 'OVMF_VARS.secboot.fd'),
      pair('/usr/share/qemu', 'ovmf-x86_64-smm-ms-code.bin', 'ovmf-x86_64-smm-ms-vars.bin'),
    ],
  },
  arm64: {
    uefi: [
      pair('/usr/share/AAVMF', 'AAVMF_CODE.no-secboot.fd', 'AAVMF_VARS.fd'),
      pair('/usr/share/AAVMF', 'AAVMF_CODE.fd', 'AAVMF_VARS.fd'),
      pair('/usr/share/edk2/aarch64', 'QEMU_EFI-pflash.raw', 'vars-template-pflash.raw'),
      pair('/usr/share/edk2/aarch64', 'QEMU_CODE.fd', 'QEMU_VARS.fd'),
      pair('/usr/share/qemu', 'aavmf-aarch64-code.bin', 'aavmf-aarch64-vars.bin'),
      pair('/opt/homebrew/share/qemu', 'edk2-aarch64-code.fd', 'edk2-arm-vars.fd'),
      pair('/usr/local/share/qemu', 'edk2-aarch64-code.fd', 'edk2-arm-vars.fd'),
    ],
  },
};

const PACKAGES: Readonly<Record<Architecture, string>> = {
  amd64: 'ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora, Arch)',
  arm64: 'qemu-efi-aarch64 (Debian, Ubuntu) or edk2-aarch64 (Fedora, Arch)',
};

/** The firmware that a machine has where nothing else is asked for: what its image is for; an ARM machine has no BIOS. */
export function defaultFirmware(arch: Architecture, image: 'bios' | 'uefi' | 'both' = 'both'): Firmware {
  return arch === 'amd64' && image !== 'uefi' ? 'bios' : 'uefi';
}

/**
 * Finds the host's firmware files; undefined for BIOS, which QEMU brings along. Throws `firmware-unsupported` where the architecture has
 * no such firmware, and `firmware-missing` with what to install.
 */
export async function findFirmware(host: Pick<Host, 'files'>, arch: Architecture, firmware: Firmware): Promise<FirmwareFiles | undefined> {
  if (firmware === 'bios' && arch === 'amd64') return undefined;
  const candidates = CANDIDATES[arch][firmware];
  if (candidates === undefined) {
    const can = Object.keys(CANDIDATES[arch]).join(' or ');
    throw new IngotError('usage', 'firmware-unsupported', `A machine of architecture ${arch} cannot start with ${firmware}`, {
      hint: `Use --firmware ${can}.`,
    });
  }
  for (const { code, variables } of candidates) {
    const found = await Promise.all([host.files.status(code), host.files.status(variables)]);
    if (found.every((status) => status !== undefined)) return { code: hostPath(code), variables: hostPath(variables) };
  }
  throw new IngotError('host', 'firmware-missing', `The ${firmware} firmware for ${arch} machines is not installed`, {
    hint: `Install ${PACKAGES[arch]}${arch === 'amd64' ? ', or use --firmware bios' : ''}.`,
    detail: `Looked for:\n${candidates.map(({ code, variables }) => `${code} with ${variables}`).join('\n')}`,
  });
}
