import { join } from 'node:path';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { makeScratch } from '../base/scratch.ts';
import type { Home } from '../base/home.ts';
import { hexOf, hostPath, type Digest, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { BaseImage } from '../plan/plan.ts';
import { isForeign } from '../store/model.ts';
import { choosePlace, openPlace } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';

/** dpkg's status file of an image. Its disk is opened once: the answer is kept under the digest of its last layer. */
export async function statusOfImage(context: Context, image: BaseImage): Promise<string> {
  const { host, home } = context;
  const top = image.layers.at(-1);
  if (top === undefined) throw new Error('an image has layers');
  const remembered = statusFile(home, top.digest);
  const known = await readTextIfThere(host.files, remembered);
  if (known !== undefined) return known;
  await using scratch = await makeScratch(host, home, `reading the packages of ${image.reference}`);
  const chain = image.layers.map(({ digest }) => hostPath(home.blob(digest)));
  await using place = await openPlace(context, {
    kind: await choosePlace(context, context.settings.workspace === 'auto' ? undefined : context.settings.workspace, { foreign: isForeign(image.layers) }),
    scratch: scratch.path,
  });
  await using workspace = await openThrowAway(context, place, { chain, size: image.virtualSize, scratch: scratch.path });
  const { stdout } = await workspace.root.run(['cat', '/var/lib/dpkg/status']);
  await replaceFile(host.files, remembered, stdout);
  return stdout;
}

/** Where the status file of the image with this last layer is remembered. */
export function statusFile(home: Home, top: Digest): HostPath {
  return hostPath(join(home.resolutions, `${hexOf(top)}.status`));
}
