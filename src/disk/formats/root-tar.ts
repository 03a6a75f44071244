import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { hostPath } from '../../base/types.ts';
import { isForeign } from '../../store/model.ts';
import { choosePlace, openPlace } from '../../workspace/place.ts';
import { openThrowAway } from '../../workspace/throw-away.ts';
import { chainGraph } from '../convert.ts';
import { emptyQcow2 } from '../qcow2.ts';
import type { DiskSource } from './source.ts';
import type { WriteJob } from './writers.ts';

/*
 * The files of an image without its disk, as a tar. A place may be a helper VM, of which no stream leads out: tar writes to a disk that is attached there, and
 * that disk is read here.
 */

/** What a container has from its host: kernel, its modules and the boot loader's files. */
const LEFT_OUT = [
  './boot/*',
  './lib/modules/*',
  './usr/lib/modules/*',
  './lib/firmware/*',
  './usr/lib/firmware/*',
  './dev/*',
  './proc/*',
  './sys/*',
  './run/*',
  './tmp/*',
  './lost+found',
  './vmlinuz*',
  './initrd.img*',
];
/** For Incus all names begin with its folder; targets of symbolic links stay as they are. */
export const BELOW_ROOTFS = ['--transform', 'flags=rSh;s,^\\.,rootfs,'];
const TAR_SECONDS = 3600;
/** What tar and its headers may take beyond the disk. */
const SPARE = 2 ** 30;

/** A machine's mounts and first growth are not those of a container, and would fail there. */
const SETTLE = `
printf '# A container has no file systems of its own.\\n' >"$1/etc/fstab"
for unit in ingot-grow-root ingot-swap; do rm -f "$1/etc/systemd/system/$unit.service" "$1"/etc/systemd/system/*.wants/$unit.service; done
`;

/** tar says how much it has written; its own exit code would be lost behind the pipe. */
const PACK = `
disk=$1 said=$2 root=$3; shift 3
{ tar --create --file=- --directory="$root" --totals --sort=name --numeric-owner --one-file-system --xattrs --xattrs-include='*' --acls --format=pax --pax-option=delete=atime,delete=ctime "$@" . 2>"$said" || echo failed >"$said.failed"; } |
  dd of="$disk" bs=1M iflag=fullblock conv=notrunc,nocreat status=none
sync "$disk"
if [ -e "$said.failed" ]; then cat "$said" >&2; exit 1; fi
cat "$said"
`;

/** The root's files as a tar, on a disk of this process. */
export interface RootTar {
  /** A block device graph of the disk. */
  readonly graph: object;
  /** Bytes of the tar; the disk is larger. */
  readonly size: number;
}

/** Packs the root of a job's disk; `words` go to tar. Throws `export-partitions`, and what opening a disk throws. */
export async function packRoot(job: WriteJob, words: readonly string[]): Promise<RootTar> {
  const { context, image, chain, scratch, size } = job;
  const details = image.config['dev.ingot.image'];
  const output = hostPath(join(scratch, 'root-tar.qcow2'));
  await context.host.files.write(output, emptyQcow2({ virtualSize: Math.ceil((size + SPARE) / 2 ** 20) * 2 ** 20 }));
  const kind = await choosePlace(context, job.workspace, { foreign: isForeign(details.layers) });
  await using place = await openPlace(context, { kind, scratch });
  await using target = await place.attach({ chain: [], overlay: output, scratch });
  let totals = '';
  {
    // What a container must not have is taken out of an overlay that is thrown away.
    await using workspace = await openThrowAway(context, place, { chain, size, scratch });
    const root = workspace.root.path;
    await workspace.root.run(['sh', '-ec', SETTLE, 'sh', '']);
    const said = join(place.folder, 'tar-said');
    const mounts = workspace.mounts.map(({ path }) => `.${path}/*`);
    const excluded = LEFT_OUT.flatMap((pattern) => ['--exclude', pattern]);
    if (mounts.length > 0)
      throw new IngotError('usage', 'export-partitions', 'An image with partitions besides the root cannot be written as one root file system');
    const result = await workspace.executor.run(['sh', '-c', PACK, 'sh', target.path, said, root, ...excluded, ...words], { timeout: TAR_SECONDS });
    totals = result.stdout;
  }
  await target.detach();
  const bytes = /^Total bytes written: (\d+)/m.exec(totals)?.[1];
  if (bytes === undefined) throw new IngotError('command', 'command-failed', 'tar did not say how much it has written', { detail: totals });
  return { graph: chainGraph([output]), size: Number(bytes) };
}

const READ = 2 ** 20;

/** The bytes of a tar on a disk, in order. */
export async function* tarPieces(source: DiskSource, size: number, { onProgress }: Partial<Pick<WriteJob, 'onProgress'>>): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; at += READ) {
    yield await source.read(at, Math.min(READ, size - at));
    onProgress?.((100 * at) / size);
  }
}
