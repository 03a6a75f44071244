import type { LoadedTemplate } from './load.ts';
import { positionOf } from './placed.ts';
import { templateSchema } from './schema.ts';
import { plainOf, type MapNode, type Node } from './source.ts';
import { escapeReferences } from './variables.ts';

/** The template after its files were joined and its variables filled in, as one that could be loaded again: nothing in it refers to anything. */
export function effectiveTemplate(loaded: LoadedTemplate): Record<string, unknown> {
  const plain = plainOf(escaped(withoutVariables(loaded.tree)));
  return typeof plain === 'object' && plain !== null ? { ...plain } : {};
}

/** Where each single value was written: `/steps/0/run` -> `base.yaml:3`. */
export function originsOf(loaded: LoadedTemplate, folder: string | undefined): Record<string, string> {
  const origins: Record<string, string> = {};
  const walk = (node: Node, path: string): void => {
    if (node.kind === 'value') {
      const { file, line } = positionOf(node.place, folder);
      origins[path] = `${file}:${line}`;
    } else if (node.kind === 'list') for (const [i, item] of node.items.entries()) walk(item, `${path}/${i}`);
    else for (const [key, { value }] of node.entries) walk(value, `${path}/${key}`);
  };
  walk(withoutVariables(loaded.tree), '');
  return origins;
}

/** Without the variables, which are filled in, and in the order of the schema. */
function withoutVariables(tree: MapNode): MapNode {
  const order = Object.keys(templateSchema.shape);
  const entries = [...tree.entries].filter(([key]) => key !== 'variables').toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  return { ...tree, entries: new Map(entries) };
}

function escaped(node: Node): Node {
  if (node.kind === 'value') return typeof node.value === 'string' ? { ...node, value: escapeReferences(node.value) } : node;
  if (node.kind === 'list') return { ...node, items: node.items.map(escaped) };
  return { ...node, entries: new Map([...node.entries].map(([key, entry]) => [key, { ...entry, value: escaped(entry.value) }])) };
}
