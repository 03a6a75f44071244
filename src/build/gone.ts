import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import type { LayerPlan } from '../plan/layers.ts';
import type { ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import { openStore } from '../store/store.ts';
import type { Prepared } from './prepare.ts';

const AT_ONCE = 16;

/**
 * Sees that the packages which locked images still need are there: in the cache, or at the mirror. Repositories drop old versions, and a
 * frozen build that misses one must say so before it starts. Throws `packages-gone` with all of them.
 */
export async function refuseGone(context: Context, prepared: readonly Prepared[]): Promise<void> {
  const { host, home, signal } = context;
  const store = openStore(host, home);
  const cached = new Set(await host.files.list(home.packages));
  const urls = new Map<string, string>();
  for (const { plan, archives } of prepared) {
    for (const layer of plan.layers) {
      if ((await store.findLayer(layer.key)) !== undefined) continue;
      for (const item of packagesOf(layer)) if (!cached.has(item.sha256)) urls.set(`${item.name} ${item.version}`, `${archives[item.archive]}/${item.path}`);
    }
  }
  const waiting = [...urls];
  const gone: { message: string; path: string }[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, url] = next;
      const answer = await host.fetch(url, { method: 'HEAD', signal });
      if (answer.status === 404 || answer.status === 410) gone.push({ path: name, message: `${url} is gone (${answer.status})` });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (gone.length === 0) return;
  throw new IngotError('upstream', 'packages-gone', `The repositories no longer have ${gone.length} of the locked packages`, {
    hint: 'Name a mirror that keeps old versions with --mirror (snapshot.debian.org has one for each day), or lock anew with `ingot lock`.',
    problems: gone.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  });
}

function packagesOf({ recipe }: LayerPlan): readonly ResolvedPackage[] {
  if (recipe.kind === 'bootstrap') return recipe.packages;
  return 'install' in recipe ? (recipe.install?.packages ?? []) : [];
}
