import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { hasEnded } from '../catalog/release-facts.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { openStore } from '../store/store.ts';
import type { Finding } from './checks.ts';

type CatalogCheck = Pick<Context, 'host' | 'home' | 'settings'>;

const NAME = 'catalog';

/** Whether the catalog loads, with the user's own files over it, and whether images of the store are of releases past their end. */
export async function checkCatalog(context: CatalogCheck): Promise<Finding[]> {
  const { host, home, settings } = context;
  const folder = settings.catalog ?? home.catalog;
  try {
    const catalog = await loadCatalog(context);
    const all = releases(catalog);
    const own = (await host.files.list(join(folder, 'distros'))).filter((name) => name.endsWith('.yaml')).length;
    const found = `${all.length} releases of ${catalog.distributions.length} distributions${own === 0 ? '' : `, ${own} of your own files in ${folder}`}`;
    return [{ name: NAME, state: 'ok', found, purpose: '`ingot catalog check` asks the mirrors' }, ...(await endedInUse(context, all))];
  } catch (error) {
    if (!(error instanceof IngotError)) {
      const why = error instanceof Error ? error.message : String(error);
      return [
        {
          name: NAME,
          state: 'missing',
          found: `${folder} cannot be read: ${why}`,
          remedy: 'Make it readable, or name another folder: ingot config set catalog FOLDER',
        },
      ];
    }
    const [first] = error.problems;
    const more = error.problems.length > 1 ? `, and ${error.problems.length - 1} more` : '';
    const where =
      first === undefined ? '' : `: ${[first.position?.file, first.position?.line].filter((part) => part !== undefined).join(':')} ${first.message}${more}`;
    return [{ name: NAME, state: 'missing', found: `${error.message}${where}`, remedy: '`ingot catalog distros` shows everything that is wrong' }];
  }
}

/** Releases without security updates that images of the store are of. */
async function endedInUse({ host, home }: CatalogCheck, all: readonly Release[]): Promise<Finding[]> {
  const now = host.clock.now();
  // What is wrong with the store itself is told there.
  const images = await openStore(host, home)
    .list()
    .catch((): [] => []);
  return all
    .filter((release) => hasEnded(release, now))
    .flatMap(({ id, eol = '' }) => {
      const names = [...new Set(images.filter(({ release }) => release === id).map(({ name }) => name))];
      if (names.length === 0) return [];
      const found = `no security updates since ${eol}, and ${names.length === 1 ? 'an image is' : `${names.length} images are`} of it: ${names.slice(0, 5).join(', ')}`;
      return [{ name: id, state: 'warning' as const, found, remedy: 'Build them on a release that is still looked after.' }];
    });
}
