import type { MapEntry, MapNode, Node } from './source.ts';

/** Joins what a template builds on (below) with the template (above): maps deep, lists one after the other, single values replaced. */
export function merge(below: Node, above: Node, path: readonly string[] = []): Node {
  if (above.kind === 'value' && above.value === null) return below;
  if (isDeclaration(path) && below.kind === 'map' && above.kind !== 'map') return withDefault(below, above);
  if (isWhole(path, above)) return above;
  if (below.kind === 'map' && above.kind === 'map') return mergeMaps(below, above, path);
  if (below.kind === 'list' && above.kind === 'list') {
    return {
      kind: 'list',
      place: above.place,
      items: path.join('.') === 'users' ? mergeByName(below.items, above.items, path) : [...below.items, ...above.items],
    };
  }
  return above;
}

function mergeMaps(below: MapNode, above: MapNode, path: readonly string[]): MapNode {
  const entries = new Map(below.entries);
  for (const [key, entry] of above.entries) {
    const known = entries.get(key);
    const value = known === undefined ? entry.value : merge(known.value, entry.value, [...path, key]);
    entries.set(key, known !== undefined && value === known.value ? known : { key: entry.key, value });
  }
  return { kind: 'map', place: above.place, entries };
}

function mergeByName(below: readonly Node[], above: readonly Node[], path: readonly string[]): Node[] {
  const items = [...below];
  for (const item of above) {
    const name = nameOf(item);
    const index = name === undefined ? -1 : items.findIndex((other) => nameOf(other) === name);
    const known = items[index];
    if (known === undefined) items.push(item);
    else items[index] = merge(known, item, [...path, '']);
  }
  return items;
}

function nameOf(node: Node): unknown {
  const name = node.kind === 'map' ? node.entries.get('name')?.value : undefined;
  return name?.kind === 'value' && typeof name.value === 'string' ? name.value : undefined;
}

/** `variables.<name>`: a variable. */
function isDeclaration(path: readonly string[]): boolean {
  return path.length === 2 && path[0] === 'variables';
}

/** What is one value although it is written as a list or a map: an origin, and what a variable may be. */
function isWhole(path: readonly string[], above: Node): boolean {
  return path.join('.') === 'from' || (path[0] === 'variables' && (path.length > 2 || (path.length === 2 && above.kind === 'list')));
}

/** A value alone is a new default for a variable that was declared with a type. */
function withDefault(declaration: MapNode, value: Node): MapNode {
  const entry: MapEntry = { key: value.place, value };
  return { ...declaration, entries: new Map([...declaration.entries, ['default', entry]]) };
}
