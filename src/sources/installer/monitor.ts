import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { Guest } from '../../platforms/local/guest.ts';
import type { QmpClient } from '../../platforms/local/qmp.ts';

const statsSchema = z.array(z.object({ qdev: z.string().optional(), stats: z.object({ rd_bytes: z.number(), wr_bytes: z.number() }) }));
const shutdownSchema = z.object({ reason: z.string() });
const blockErrorSchema = z.object({ nospace: z.boolean().default(false) });

const SCREENDUMP_SECONDS = 20;

/** What QEMU tells of a machine while it installs: one connection, for as long as it lasts. */
export class InstallMonitor implements Disposable {
  readonly #qmp: QmpClient;
  readonly #folder: HostPath;
  #bytes = 0;
  #written = 0;
  #reason: string | undefined;
  #full = false;

  private constructor(qmp: QmpClient, folder: HostPath) {
    this.#qmp = qmp;
    this.#folder = folder;
    qmp.onEvent(({ name, data }) => {
      if (name === 'SHUTDOWN') this.#reason = shutdownSchema.safeParse(data).data?.reason;
      if (name === 'BLOCK_IO_ERROR') this.#full ||= blockErrorSchema.safeParse(data).data?.nospace === true;
    });
  }

  static async open(guest: Guest): Promise<InstallMonitor> {
    return new InstallMonitor(await guest.qmp(), guest.spec.folder);
  }

  /** Why the machine ended: `guest-shutdown`, `guest-reset` and others (QEMU: qapi/run-state.json, ShutdownCause); undefined while it runs. */
  get shutdownReason(): string | undefined {
    return this.#reason;
  }

  /** The host's disk had no room for what the machine wrote. */
  get isFull(): boolean {
    return this.#full;
  }

  /** Bytes written to disks, as of the last {@link transferred}. */
  get written(): number {
    return this.#written;
  }

  /** Bytes that the machine has read from and written to disks since it started; what was last known where it has ended. */
  async transferred(): Promise<number> {
    const answer = await this.#ask('query-blockstats');
    const all = statsSchema.safeParse(answer).data ?? [];
    if (all.length > 0) {
      this.#written = all.reduce((sum, { stats }) => sum + stats.wr_bytes, 0);
      this.#bytes = all.reduce((sum, { stats }) => sum + stats.rd_bytes + stats.wr_bytes, 0);
    }
    return this.#bytes;
  }

  /** Puts a picture of the screen into a folder, as `<name>.png`; undefined where the machine has ended, or this QEMU makes no PNG. */
  async picture({ files }: Pick<Host, 'files'>, folder: HostPath, name: string): Promise<HostPath | undefined> {
    const { major, minor } = this.#qmp.version;
    if (major < 7 || (major === 7 && minor < 1)) return undefined;
    const drawn = join(this.#folder, 'screen.png');
    if ((await this.#ask('screendump', { filename: drawn, format: 'png' })) === undefined) return undefined;
    const path = hostPath(join(folder, `${name}.png`));
    await files.copy(drawn, path);
    return path;
  }

  [Symbol.dispose](): void {
    this.#qmp.close();
  }

  /** Undefined where the machine has ended: the caller sees that by itself. */
  async #ask(command: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown> {
    try {
      return await this.#qmp.execute(command, parameters, SCREENDUMP_SECONDS);
    } catch (error) {
      if (error instanceof IngotError && ['qemu-gone', 'qemu-refused'].includes(error.code)) return undefined;
      throw error;
    }
  }
}
