import { FileDigests } from '../base/file-digests.ts';
import { hashValue } from '../base/hash.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { findProgram } from '../base/programs.ts';
import type { GateStatement } from '../store/model.ts';
import { findFirmware } from '../platforms/local/firmware.ts';
import type { Architecture } from '../platforms/local/guest-spec.ts';
import { qemuProgram } from '../platforms/local/qemu-arguments.ts';
import type { ResolvedTest } from '../template/template.ts';
import { CHECKS } from './checks/index.ts';
import { templateChecks } from './template-tests.ts';

/** Raised when the gate itself, rather than one of its scripts, proves more or less than before. */
const GATE_VERSION = 1;

/** What a gate's result depends on besides the image: while these match, an image need not be proven again. */
export type GateFingerprint = Pick<GateStatement, 'suite' | 'qemu' | 'firmware'>;

/** The digests of this gate's checks, of QEMU and of the firmware that it would use; empty texts for what is missing. */
export async function gateFingerprint(host: Host, home: Home, arch: Architecture): Promise<GateFingerprint> {
  const digests = await FileDigests.open(host, home);
  const qemu = await digestOf(digests, host, await findProgram(host, qemuProgram(arch)));
  const uefi = await findFirmware(host, arch, 'uefi').catch(() => undefined);
  const firmware = uefi === undefined ? [] : [await digestOf(digests, host, uefi.code)];
  await digests.save();
  return { suite: hashValue([GATE_VERSION, CHECKS]), qemu, firmware };
}

/** The fingerprint of a gate that runs a template's tests as well: other tests prove something else. */
export function withTests(fingerprint: GateFingerprint, tests: readonly ResolvedTest[]): GateFingerprint {
  return tests.length === 0 ? fingerprint : { ...fingerprint, suite: hashValue([fingerprint.suite, templateChecks(tests)]) };
}

async function digestOf(digests: FileDigests, host: Host, path: string | undefined): Promise<string> {
  // A program's name may be a link; its digest is that of what it leads to.
  const real = path === undefined ? undefined : await host.files.resolveLinks(path);
  const status = real === undefined ? undefined : await host.files.status(real);
  return real === undefined || status === undefined ? '' : `sha256:${await digests.of(real, status)}`;
}
