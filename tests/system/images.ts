import { join } from 'node:path';
import { keyOf } from '../../src/base/hash.ts';
import { makeScratch } from '../../src/base/scratch.ts';
import { hostPath, parseName } from '../../src/base/types.ts';
import type { Context } from '../../src/operations/operation.ts';
import { makeOverlay } from '../../src/platforms/local/overlay.ts';
import type { Image } from '../../src/store/model.ts';
import { layerPaths, openStore } from '../../src/store/store.ts';
import { openPlace } from '../../src/workspace/place.ts';
import { openWorkspace } from '../../src/workspace/workspace.ts';

/** Makes an image that is another one and a layer on top, in which a script has run as root with the image as its root. */
export async function imageWith(context: Context, base: Image, name: string, script: string): Promise<Image> {
  const store = openStore(context.host, context.home);
  const chain = layerPaths(context.home, base);
  const details = base.config['dev.ingot.image'];
  const below = base.layers.at(-1);
  const backing = chain.at(-1);
  if (below === undefined || backing === undefined) throw new Error('the base has no layers');
  await using scratch = await makeScratch(context.host, context.home, 'test');
  const overlay = hostPath(join(scratch.path, 'layer.qcow2'));
  await makeOverlay(context.host, overlay, backing, details.disk.size);
  await using place = await openPlace(context, { kind: 'host', scratch: scratch.path });
  await using workspace = await openWorkspace(place, { chain, overlay, scratch: scratch.path });
  await workspace.root.run(['sh', '-ec', script]);
  await workspace.commit();
  // In the store the file below is called by its digest, in the same folder.
  await context.host.processes.run(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', below.digest.slice('sha256:'.length), overlay]);
  const key = keyOf([name, script]);
  const record = await store.commitLayer(overlay, { key, name, parent: below.digest, virtualSize: details.disk.size, seconds: 0, packages: [], inputs: {} });
  const records = (await Promise.all(details.layers.map((layer) => store.findLayer(layer.key)))).flatMap((each) => (each === undefined ? [] : [each]));
  const layers = [...details.layers, { name, key, packages: [] }];
  const config = {
    ...base.config,
    rootfs: { ...base.config.rootfs, diff_ids: [...base.config.rootfs.diff_ids, record.digest] },
    'dev.ingot.image': { ...details, template: name, layers },
  };
  return await store.putImage(config, [...records, record], parseName(name, 'an image'), ['latest']);
}
