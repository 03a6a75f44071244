import type * as z from 'zod';
import type * as core from 'zod/v4/core';
import { schemaProblems } from './problems.ts';
import { nodeAt, plainOf, type MapNode, type Node, type PlacedProblem } from './source.ts';

/**
 * Checks a tree whose variables are filled in by a schema; what is wrong is added to the problems, each at its place. What has a problem already,
 * such as an unknown variable, is not reported again for what follows from it.
 */
export function checkTree<T>(schema: z.ZodType<T>, root: MapNode, problems: PlacedProblem[]): { readonly tree: MapNode; readonly value: T | undefined } {
  let tree = root;
  let parsed = schema.safeParse(plainOf(tree), { jitless: true });
  if (!parsed.success) {
    const texts = wantedAsText(parsed.error.issues, tree, []);
    if (texts.size > 0) {
      tree = withTexts(tree, texts);
      parsed = schema.safeParse(plainOf(tree), { jitless: true });
    }
  }
  if (parsed.success) return { tree, value: parsed.data };
  const faulty = new Set(problems.map(({ place }) => place));
  problems.push(...schemaProblems(parsed.error.issues, schema, tree).filter(({ place }) => !faulty.has(place)));
  return { tree, value: undefined };
}

/** Numbers and the like that came from a variable and stand where text is wanted. */
function wantedAsText(issues: readonly core.$ZodIssue[], root: Node, base: readonly PropertyKey[]): Set<Node> {
  const found = new Set<Node>();
  for (const issue of issues) {
    const path = [...base, ...issue.path];
    if (issue.code === 'invalid_union') {
      for (const branch of issue.errors) for (const node of wantedAsText(branch, root, path)) found.add(node);
    }
    const node = issue.code === 'invalid_type' && issue.expected === 'string' ? nodeAt(root, path) : undefined;
    if (node?.kind === 'value' && node.text !== undefined) found.add(node);
  }
  return found;
}

function withTexts(root: MapNode, texts: ReadonlySet<Node>): MapNode {
  const change = (node: Node): Node => {
    if (node.kind === 'value') return texts.has(node) && node.text !== undefined ? { kind: 'value', place: node.place, value: node.text } : node;
    return node.kind === 'list' ? { ...node, items: node.items.map(change) } : changeMap(node);
  };
  const changeMap = (map: MapNode): MapNode => ({
    ...map,
    entries: new Map([...map.entries].map(([key, entry]) => [key, { ...entry, value: change(entry.value) }])),
  });
  return changeMap(root);
}
