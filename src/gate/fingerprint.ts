import { createHash } from 'node:crypto';
import * as z from 'zod';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { hashValue } from '../base/hash.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { findProgram } from '../base/programs.ts';
import type { GateStatement } from '../store/model.ts';
import { findFirmware } from '../platforms/local/firmware.ts';
import type { Architecture } from '../platforms/local/guest-spec.ts';
import { qemuProgram } from '../platforms/local/qemu-arguments.ts';
import type { TemplateTest } from '../template/schema.ts';
import { CHECKS } from './checks/index.ts';
import { templateChecks } from './template-tests.ts';

/** Raised when the gate itself, rather than one of its scripts, proves more or less than before. */
const GATE_VERSION = 1;

/** What a gate's result depends on besides the image: while these match, an image need not be proven again. */
export type GateFingerprint = Pick<GateStatement, 'suite' | 'qemu' | 'firmware'>;

/** The digests of this gate's checks, of QEMU and of the firmware that it would use; empty texts for what is missing. */
export async function gateFingerprint(host: Host, home: Home, arch: Architecture): Promise<GateFingerprint> {
  const digests = await FileDigests.open(host, home);
  const qemu = await digests.of(await findProgram(host, qemuProgram(arch)));
  const uefi = await findFirmware(host, arch, 'uefi').catch(() => undefined);
  const firmware = uefi === undefined ? [] : [await digests.of(uefi.code)];
  await digests.save();
  return { suite: hashValue([GATE_VERSION, CHECKS]), qemu, firmware };
}

/** The fingerprint of a gate that runs a template's tests as well: other tests prove something else. */
export function withTests(fingerprint: GateFingerprint, tests: readonly TemplateTest[]): GateFingerprint {
  return tests.length === 0 ? fingerprint : { ...fingerprint, suite: hashValue([fingerprint.suite, templateChecks(tests)]) };
}

const cacheSchema = z.record(z.string(), z.string());

/** SHA-256 of large files of the host, remembered by name, size, date and inode, so that an unchanged one is read once. */
class FileDigests {
  readonly #host: Host;
  readonly #path: string;
  readonly #known: Record<string, string>;
  readonly #used: Record<string, string> = {};

  private constructor(host: Host, path: string, known: Record<string, string>) {
    this.#host = host;
    this.#path = path;
    this.#known = known;
  }

  static async open(host: Host, home: Home): Promise<FileDigests> {
    const path = home.fileDigests;
    const text = await readTextIfThere(host.files, path);
    return new FileDigests(host, path, cacheSchema.catch({}).parse(text === undefined ? {} : parseJson(text)));
  }

  async of(path: string | undefined): Promise<string> {
    const status = path === undefined ? undefined : await this.#host.files.status(path);
    if (path === undefined || status === undefined) return '';
    const identity = `${path} ${status.size} ${status.modified.getTime()} ${status.inode}`;
    const digest =
      this.#known[identity] ??
      `sha256:${createHash('sha256')
        .update(await this.#host.files.read(path))
        .digest('hex')}`;
    this.#used[identity] = digest;
    return digest;
  }

  async save(): Promise<void> {
    if (Object.keys(this.#used).every((identity) => identity in this.#known)) return;
    await replaceFile(this.#host.files, this.#path, JSON.stringify({ ...this.#known, ...this.#used }));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // A cache: what cannot be read is made again.
  }
}
