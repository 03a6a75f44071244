import { join } from 'node:path';
import { downloadAll } from '../../base/download.ts';
import { hostPath } from '../../base/types.ts';
import type { Download } from '../../roles/role.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import type { ApplyContext } from './apply.ts';

/** Where the fetched files are inside while they are put into the image. */
const SOURCE = '/tmp/ingot-downloads';

/** What is unpacked belongs to root, whoever packed it; folders that are there keep their modes, and a folder that is a link stays one. */
const UNPACK = 'mkdir -p "$2"; tar -x -f "$1" -C "$2" --no-same-owner --no-overwrite-dir --keep-directory-symlink';
const PUT = 'mkdir -p "$(dirname "$2")"; cp "$1" "$2.ingot-new"; chown root:root "$2.ingot-new"; chmod "$3" "$2.ingot-new"; mv -fT "$2.ingot-new" "$2"';

/** Fetches what a layer brings in by address, verifies it, and puts it into the image. Throws what {@link downloadAll} throws. */
export async function applyDownloads(apply: ApplyContext, { root }: Workspace, downloads: readonly Download[]): Promise<void> {
  const { context, scratch, place, offline, span } = apply;
  const { host, home, signal, events } = context;
  await host.files.makeDirectory(home.downloads);
  const folder = hostPath(join(scratch, 'downloads'));
  await host.files.makeDirectory(folder);
  const items = downloads.map((download) => ({ ...download, size: 0 }));
  const onRetry = (url: string, attempt: number, cause: string): void => events.message('warn', `${url}: ${cause}; try ${attempt + 1}.`);
  await downloadAll(host, items, { folder: home.downloads, offline, signal, onRetry }, async ({ sha256 }, path) => {
    await host.files.copy(path, join(folder, sha256));
  });
  root.bindReadOnly(SOURCE, await place.provide(folder));
  for (const { sha256, to, unpack, mode } of downloads) {
    span.output(`${to}\n`, 'stdout');
    const file = `${SOURCE}/${sha256}`;
    await root.run(unpack ? ['sh', '-ec', UNPACK, 'sh', file, to] : ['sh', '-ec', PUT, 'sh', file, to, mode], { timeout: 1800 });
  }
}
