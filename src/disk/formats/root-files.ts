import { attach } from '../../base/attached.ts';
import type { Argv } from '../../base/process.ts';
import { tarHeader, tarPadding } from '../../store/tar.ts';
import { Appender } from './appender.ts';
import { writeCompressed } from './compressed.ts';
import { metadataYaml } from './incus.ts';
import { BELOW_ROOTFS, packRoot, tarPieces } from './root-tar.ts';
import { openSource, type DiskSource, type Extent } from './source.ts';
import { checkSquashfs } from './squashfs-check.ts';
import { compareStream } from './verify.ts';
import { compressionOf, widthOf, type WriteJob } from './writers.ts';

/* The root's tar as what containers and live systems take: compressed, with what Incus wants before it, or as a squashfs. */

/** The tar alone, with what comes before it, as a disk that is read. */
function within(disk: DiskSource, head: Uint8Array, size: number): DiskSource {
  const length = head.length + size;
  const data: Extent[] = [{ start: 0, length }];
  return {
    size: length,
    data,
    async read(position, count) {
      if (position >= head.length) return await disk.read(position - head.length, count);
      const first = head.subarray(position, position + count);
      return first.length === count ? Buffer.from(first) : Buffer.concat([first, await disk.read(0, count - first.length)]);
    },
    [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
  };
}

/** A compressed tar: of the root, or of what Incus calls a unified image. */
export async function writeRootTar(job: WriteJob, unified: boolean): Promise<() => Promise<void>> {
  const { context, part, scratch, signal } = job;
  const { host } = context;
  const tar = await packRoot(job, unified ? BELOW_ROOTFS : []);
  const head = unified ? entry('metadata.yaml', metadataYaml(job.image)) : Buffer.alloc(0);
  const compression = compressionOf(job.format.options['compression'] ?? 'zstd');
  {
    await using source = within(await openSource(host, tar.graph, scratch, signal), head, tar.size);
    await host.files.write(part, '');
    const out = new Appender(host.files, part);
    await writeCompressed(host, source, out, { compression, width: widthOf(job), onProgress: job.onProgress, signal });
    await out.flush();
  }
  return async () => {
    await using source = within(await openSource(host, tar.graph, scratch, signal), head, tar.size);
    await compareStream(host, source, part, compression, signal);
  };
}

function entry(name: string, text: string): Uint8Array {
  const data = Buffer.from(text);
  return Buffer.concat([tarHeader(name, data.length), data, tarPadding(data.length)]);
}

/** A squashfs of the root, made of the same tar by squashfs-tools. */
export async function writeSquashfs(job: WriteJob): Promise<() => Promise<void>> {
  const { context, part, scratch, signal } = job;
  const { host } = context;
  const tar = await packRoot(job, []);
  const compression = job.format.options['compression'] ?? 'zstd';
  // sqfstar takes nothing of the root itself from the tar, and makes it writable to all.
  const root = ['-root-mode', '755', '-root-uid', '0', '-root-gid', '0'];
  const make: Argv = ['sqfstar', '-comp', compression, '-no-progress', '-mkfs-time', '0', ...root, part];
  await using source = await openSource(host, tar.graph, scratch, signal);
  await using running = attach(host, make, { stdin: 'pipe', stderr: 'pipe' });
  const { Readable } = await import('node:stream');
  const { pipeline } = await import('node:stream/promises');
  if (running.stdin === null) throw new Error('there is no pipe');
  // What it says when it ends early counts, not that it reads no more.
  await pipeline(Readable.from(tarPieces(source, tar.size, job)), running.stdin, { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
  });
  const { exitCode } = await running.ended;
  if (exitCode !== 0) throw await running.failure();
  return () => checkSquashfs(job, tar);
}
