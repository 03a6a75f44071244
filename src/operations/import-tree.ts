import { join } from 'node:path';
import { makeScratch } from '../base/scratch.ts';
import type { HostPath, Name } from '../base/types.ts';
import { checkLatest } from '../build/import-tag.ts';
import { openStore } from '../store/store.ts';
import { commonSchema } from './build-input.ts';
import { buildOne } from './build-one.ts';
import type { Context } from './operation.ts';

export interface TreeImport {
  readonly file: HostPath;
  readonly name: Name;
  readonly release: string;
  readonly offline: boolean;
  readonly force: boolean;
}

/** Builds an image, without a gate, of the root file system of a release: what a template with `from: { release, file }` gives. Throws `tag-exists`, and what building throws. */
export async function importTree(context: Context, { file, name, release, offline, force }: TreeImport) {
  const { host, home } = context;
  const store = openStore(host, home);
  await checkLatest(store, name, undefined, force);
  await using scratch = await makeScratch(host, home, `taking ${name} into the store`);
  const template = join(scratch.path, `${name}.yaml`);
  await host.files.write(template, JSON.stringify({ name, from: { release, file } }));
  await buildOne(context, { template, flags: commonSchema.parse({ gate: 'none', offline }) });
  const image = await store.resolve(name);
  const { disk, release: found } = image.config['dev.ingot.image'];
  const stored = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  return { reference: `${name}:latest`, digest: image.digest, release: found, size: disk.size, stored };
}
