import type { Release } from '../../../catalog/schema.ts';

/**
 * The release that a medium, a cloud image or a template on a platform is of, by its address or name: what the catalog knows of that address, else the
 * words of the name. Undefined where no word tells. Pure.
 */
export function releaseOfName(text: string, known: readonly Release[]): Release | undefined {
  const exact = known.find(({ images, installer }) => [...Object.values(images), ...Object.values(installer?.media ?? {})].some(({ url }) => url === text));
  if (exact !== undefined) return exact;
  const file =
    text
      .replace(/[?#].*$/, '')
      .split('/')
      .findLast((part) => part !== '') ?? '';
  // The name of the file first: folders of an address have words of all kinds.
  return byWords(file, known) ?? byWords(text, known);
}

function byWords(text: string, known: readonly Release[]): Release | undefined {
  const words = text
    .toLowerCase()
    .split(/[^a-z0-9.]+/)
    .flatMap((word) => [word, ...word.split('.')]);
  const joined = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '');
  const scored = known.map((release) => ({ release, score: scoreOf(release, words, joined) })).filter(({ score }) => score > 0);
  return scored.toSorted((a, b) => b.score - a.score)[0]?.release;
}

/** 0 where it is not that one; more for a longer version. */
function scoreOf({ distribution, version, codename, rolling, id }: Release, words: readonly string[], joined: string): number {
  if (codename !== '' && words.includes(codename)) return 50 + (id.endsWith(version) ? 1 : 0);
  const plain = distribution.replaceAll('-', '');
  if (!joined.includes(plain)) return 0;
  if (rolling) return 10 + plain.length;
  // A medium says the minor version too: 9.4 is of release 9.
  const is = words.some((word) => word === version || word.startsWith(`${version}.`) || word === version.replace('.', ''));
  if (!is) return 0;
  return 20 + plain.length + version.length + (id === `${distribution}-${version}` ? 1 : 0);
}
