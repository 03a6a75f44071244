import { join } from 'node:path';
import { IngotError, nearest } from '../base/errors.ts';
import { keyFingerprints } from '../base/openpgp.ts';
import { hostPath } from '../base/types.ts';
import { checkTree } from '../template/check-tree.ts';
import { placedProblems, shownFile } from '../template/placed.ts';
import { MAX_FILE_SIZE, parseSource, pathText, placeAt, type MapNode, type PlacedProblem } from '../template/source.ts';
import type { CatalogContext } from './catalog.ts';
import { distributionFaults, ownDistributionSchema, type CatalogData, type Distribution } from './schema.ts';

/**
 * The catalog with the user's folder laid over it, which is made as ours: distros/*.yaml and keys/*.asc. A file for a known distribution says what
 * is new, and its releases are added, or replace those of the same id; keys replace those of the same file name. Throws `catalog-invalid`.
 */
export async function overlayCatalog(context: CatalogContext, shipped: CatalogData, folder: string): Promise<CatalogData> {
  const { files } = context.host;
  const problems: PlacedProblem[] = [];
  const keys: Record<string, string> = { ...shipped.keys };
  for (const name of (await files.list(join(folder, 'keys'))).filter((each) => each.endsWith('.asc')))
    keys[`keys/${name}`] = Buffer.from(await files.read(join(folder, 'keys', name))).toString('utf8');
  const distributions = new Map(shipped.distributions.map((each) => [each.distribution, each]));
  for (const name of (await files.list(join(folder, 'distros'))).filter((each) => /\.ya?ml$/.test(each)).toSorted()) {
    const tree = await readTree(context, join(folder, 'distros', name), problems);
    const own = tree === undefined ? undefined : checkTree(ownDistributionSchema, tree, problems);
    if (own?.value === undefined) continue;
    const merged = addOwn(distributions, own.value, own.tree, keys, problems);
    if (merged !== undefined) distributions.set(merged.distribution, merged);
  }
  if (problems.length > 0) throw catalogInvalid(folder, problems, context.folder);
  return { ...shipped, distributions: [...distributions.values()], keys };
}

async function readTree({ host }: CatalogContext, path: string, problems: PlacedProblem[]): Promise<MapNode | undefined> {
  const file = hostPath(path);
  if (((await host.files.status(file))?.size ?? 0) > MAX_FILE_SIZE) throw new IngotError('usage', 'catalog-invalid', `${file} is too large for a distribution`);
  const { source, root, problems: wrong } = parseSource(file, Buffer.from(await host.files.read(file)).toString('utf8'));
  problems.push(...wrong);
  if (wrong.length > 0) return undefined;
  if (root?.kind === 'map') return root;
  problems.push({ message: root === undefined ? 'is empty' : 'must be a map (`key: value`)', place: { source, offset: 0 } });
  return undefined;
}

type Own = ReturnType<typeof ownDistributionSchema.parse>;

function addOwn(
  known: ReadonlyMap<string, Distribution>,
  own: Own,
  tree: MapNode,
  keys: Readonly<Record<string, string>>,
  problems: PlacedProblem[],
): Distribution | undefined {
  const before = problems.length;
  const problem = (path: readonly (string | number)[], message: string, hint?: string): void =>
    void problems.push({ path: pathText([...path]), message, place: placeAt(tree, [...path]), ...(hint === undefined ? {} : { hint }) });
  const shipped = known.get(own.distribution);
  const name = own.name ?? shipped?.name;
  const family = own.family ?? shipped?.family;
  if (name === undefined || family === undefined) {
    const near = nearest(own.distribution, [...known.keys()]);
    const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'A new distribution says its name and its family.';
    problem(['distribution'], `is not in the catalog yet, so it needs ${name === undefined ? '`name`' : '`family`'}`, hint);
    return undefined;
  }
  const mine = new Set((own.keys ?? []).map(({ fingerprint }) => fingerprint));
  const merged: Distribution = {
    ...shipped,
    ...own,
    name,
    family,
    keys: [...(shipped?.keys ?? []).filter(({ fingerprint }) => !mine.has(fingerprint)), ...(own.keys ?? [])],
    notes: [...(shipped?.notes ?? []), ...(own.notes ?? [])],
  };
  for (const { path, message } of distributionFaults(merged)) problem(path, message);
  for (const [i, { fingerprint, file }] of (own.keys ?? []).entries()) {
    const key = file === undefined ? '' : keys[file];
    if (key === undefined) problem(['keys', i, 'file'], 'is not there', 'Keys are ASCII-armoured files keys/NAME.asc of the catalog folder.');
    else if (file !== undefined && !keyFingerprints(Buffer.from(key)).includes(fingerprint))
      problem(['keys', i, 'file'], `does not hold the key ${fingerprint}`);
  }
  if (own.archive !== undefined && keys[own.archive.keyring] === undefined) problem(['archive', 'keyring'], 'is not there');
  if (problems.length > before) return undefined;
  const ids = new Set(own.releases.map(({ id }) => id));
  return { ...merged, releases: [...(shipped?.releases ?? []).filter(({ id }) => !ids.has(id)), ...own.releases] };
}

function catalogInvalid(folder: string, problems: readonly PlacedProblem[], shownFrom: string | undefined): IngotError {
  const placed = placedProblems(problems, shownFrom);
  const count = placed.length === 1 ? 'a problem' : `${placed.length} problems`;
  return new IngotError('usage', 'catalog-invalid', `Your catalog ${shownFile(folder, shownFrom)} has ${count}`, {
    problems: placed,
    hint: 'docs/catalog.md describes every key, and how a distribution is added.',
  });
}
