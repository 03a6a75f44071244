import { join } from 'node:path';
import * as z from 'zod';
import { chainArguments } from '../../disk/blockdev.ts';
import { IngotError } from '../../base/errors.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { hostArchitecture } from './accelerator.ts';
import { launch } from './launch.ts';
import { qemuProgram, SANDBOX, socket } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';
import type { LabContext } from './view.ts';

const POLL_SECONDS = 0.1;
const JOB = 'flatten';
const jobsSchema = z.array(
  z.object({ id: z.string(), status: z.string(), 'current-progress': z.number(), 'total-progress': z.number(), error: z.string().optional() }),
);

/**
 * Copies what the files of a chain above its first `keep` ones hold into its last one, an empty overlay, which stands on those `keep` afterwards.
 * `chain` is bottom first; only the last file is written to. A QEMU without a machine does it, which ends with this process. Throws
 * `flatten-failed` with QEMU's words; the last file is then the caller's to remove.
 */
export async function flatten(context: LabContext, chain: readonly HostPath[], keep: number, label: string): Promise<void> {
  const { host, home, signal } = context;
  await using scratch = await makeScratch(host, home, label);
  const at = (name: string): HostPath => hostPath(join(scratch.path, name));
  const files = { qmp: at('qmp.sock'), log: at('qemu.log') };
  const launched = await launch(
    host,
    files,
    [
      ...[qemuProgram(hostArchitecture(host)), '-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'none', '-S'],
      ...(host.machine.platform === 'linux' ? SANDBOX : []),
      ...chainArguments(chain, { top: 'target', writable: true, flag: '-blockdev' }),
      ...['-chardev', socket('qmp', files.qmp), '-mon', 'chardev=qmp,mode=control'],
    ] as const,
    'process',
    { signal },
  );
  await using undo = new AsyncDisposableStack();
  undo.defer(() => void host.processes.signal(launched.pid, 'SIGKILL'));
  using qmp = await QmpClient.connect(files.qmp);
  const base = keep === 0 ? {} : { 'base-node': `layer${keep - 1}`, 'backing-file': chain[keep - 1] };
  await qmp.execute('block-stream', { 'job-id': JOB, device: 'target', ...base, 'auto-dismiss': false });
  await context.events.stage(label, async (span) => {
    for (;;) {
      const job = jobsSchema.parse(await qmp.execute('query-jobs')).find(({ id }) => id === JOB);
      if (job?.error !== undefined) throw new IngotError('host', 'flatten-failed', `QEMU could not copy the disk: ${job.error}`);
      if (job === undefined || job.status === 'concluded') break;
      span.progress(job['current-progress'], job['total-progress'], 'bytes');
      await host.clock.sleep(POLL_SECONDS, signal);
    }
  });
  // Its orderly end writes out what it still holds.
  await qmp.execute('quit');
  await launched.ended;
  undo.move();
  await host.files.sync(chain.at(-1) ?? '');
}
