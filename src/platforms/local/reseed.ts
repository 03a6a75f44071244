import { join } from 'node:path';
import { hostPath, type HostPath } from '../../base/types.ts';
import { makeScratch } from '../../base/scratch.ts';
import { makeSeed } from './seed.ts';
import { readSeed, withIdentity, type NewIdentity } from './seed-identity.ts';
import type { LabContext } from './view.ts';
import { seedPath } from './vms.ts';

/** Makes the seed of a VM from that of `source`, its folder or another VM's, with another identity; the user's own data stay. */
export async function reseed(context: LabContext, source: HostPath, target: HostPath, identity: NewIdentity): Promise<void> {
  const { host, home } = context;
  await using scratch = await makeScratch(host, home, 'making a seed');
  const fresh = hostPath(join(scratch.path, 'seed.img'));
  await makeSeed(host, fresh, withIdentity(await readSeed(host, seedPath(source), scratch.path), identity));
  await host.files.sync(fresh);
  await host.files.rename(fresh, seedPath(target));
}
