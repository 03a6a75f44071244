import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import type { TreeNode } from '../store/tree.ts';
import { openStore } from '../store/store.ts';
import { formatAge, gateCell, shortDigest } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { renderTable, styled, type Cell } from './table.ts';

const nodeSchema = z.strictObject({
  /** 0 for a root; a node stands beneath the nearest node before it with a smaller depth. */
  depth: z.int(),
  kind: z.enum(['image', 'layers']),
  /** Name of the image, or of the topmost of the shared layers. */
  name: z.string(),
  references: z.array(z.string()),
  digest: z.string().optional(),
  /** Digests of the layers that it adds to its parent, bottom first. */
  layers: z.array(z.string()),
  /** Bytes of those. */
  ownSize: z.int(),
  /** Bytes of all its layers. */
  size: z.int(),
  /** Images beneath it. */
  beneath: z.int(),
  created: z.string().optional(),
  age: z.int().optional(),
  gate: z.enum(['passed', 'failed', 'not-run']).optional(),
  damaged: z.string().optional(),
});
type Node = z.output<typeof nodeSchema>;

/** Versions of one name, and names, that are shown beneath a node unless all are asked for. */
const SHOWN = { versions: 3, names: 20 } as const;

export default defineOperation({
  name: 'image tree',
  summary: 'Show which images stand on which, and what each adds',
  description:
    'Bases are at the root, what was built on their layers stands beneath. OWN is what an image adds to the one above it, TOTAL its whole chain. Where images share layers that no image ends with, a line in brackets names the topmost of them. Without --all, each node shows the newest versions of a name and the first names beneath it.',
  kind: 'query',
  input: z.strictObject({
    image: z.string().optional().meta({ positional: true, complete: 'image' }).describe('Only this name or name:tag, what it stands on, and what stands on it'),
    all: z.boolean().default(false).meta({ short: 'a' }).describe('Every version of every image'),
  }),
  output: z.strictObject({ all: z.boolean(), nodes: z.array(nodeSchema) }),
  examples: [
    { command: 'ingot image tree', does: 'the whole store' },
    { command: 'ingot image tree web', does: 'what web stands on, and what stands on it' },
  ],
  async run(input, { host, home }) {
    const now = host.clock.now().getTime();
    const nodes = (await openStore(host, home).tree()).map((node) => toNode(node, now));
    return { all: input.all, nodes: input.image === undefined ? nodes : around(nodes, input.image) };
  },
  render({ nodes, all }, options) {
    if (nodes.length === 0) return 'No image to show. `ingot image list` lists what is there.';
    const lines = linesOf(nodes, all);
    const columns = [
      { title: 'IMAGE' },
      { title: 'DIGEST' },
      { title: 'LAYERS', right: true },
      { title: 'OWN', right: true },
      { title: 'TOTAL', right: true },
      { title: 'GATE' },
      { title: 'AGE' },
    ];
    const rows = lines.map(({ prefix, node, more }): Cell[] => {
      if (node === undefined) return [`${prefix}… ${more}`];
      const cells: Cell[] = [`+${node.layers.length}`, formatSize(node.ownSize), formatSize(node.size)];
      if (node.kind === 'layers') return [`${prefix}[${node.name}]`, '', ...cells];
      const gate = gateCell(node.damaged === undefined ? (node.gate ?? 'not-run') : 'damaged');
      return [`${prefix}${labelOf(node)}`, { text: shortDigest(node.digest ?? ''), style: 'dim' }, ...cells, gate, formatAge(node.age ?? 0)];
    });
    const hidden = lines.some((line) => line.node === undefined);
    return `${renderTable(columns, rows, options)}${hidden ? `\n${styled('--all shows every version', 'dim', options)}` : ''}`;
  },
});

function toNode(node: TreeNode, now: number): Node {
  const sizes = { layers: node.own.map(({ digest }) => digest), ownSize: node.ownSize, size: node.size, beneath: node.beneath };
  const { image } = node;
  if (image === undefined) return { depth: node.depth, kind: 'layers', name: node.layer ?? '', references: [], ...sizes };
  return {
    depth: node.depth,
    kind: 'image',
    name: image.name,
    references: [...image.references],
    digest: image.digest,
    ...sizes,
    created: image.created,
    age: Math.max(0, Math.floor((now - (Date.parse(image.created) || now)) / 1000)),
    gate: image.gate,
    ...(image.damaged === undefined ? {} : { damaged: image.damaged }),
  };
}

/** The nodes with a name or reference, all above them and all beneath. */
function around(nodes: readonly Node[], wanted: string): Node[] {
  const kept = new Set<Node>();
  const above: Node[] = [];
  let within: Node | undefined;
  for (const node of nodes) {
    above.length = node.depth;
    if (within !== undefined && node.depth <= within.depth) within = undefined;
    const matches =
      node.kind === 'image' && (node.name === wanted || node.references.some((reference) => reference === wanted || reference.startsWith(`${wanted}:`)));
    if (matches) for (const parent of above) kept.add(parent);
    if (matches && within === undefined) within = node;
    if (within !== undefined) kept.add(node);
    above.push(node);
  }
  return [...kept].toSorted((a, b) => nodes.indexOf(a) - nodes.indexOf(b));
}

/** `web:latest, 1.4` where all references have one name. */
function labelOf({ name, references }: Node): string {
  if (references.length === 0) return `${name} (no tag)`;
  let last: string | undefined;
  const ordered = references.toSorted((a, b) => Number(b.endsWith(':latest')) - Number(a.endsWith(':latest')));
  const shown = ordered.map((reference) => {
    const before = last;
    last = reference.slice(0, reference.lastIndexOf(':'));
    return last === before ? reference.slice(last.length + 1) : reference;
  });
  return shown.join(', ');
}

interface Line {
  readonly prefix: string;
  readonly node?: Node;
  /** What is not shown here. */
  readonly more?: string;
}

/** A node and what stands on it. */
interface Branch {
  readonly node: Node;
  readonly children: Branch[];
}

function linesOf(nodes: readonly Node[], all: boolean): Line[] {
  const roots: Branch[] = [];
  const open: Branch[] = [];
  for (const node of nodes) {
    const branch: Branch = { node, children: [] };
    open.length = Math.min(open.length, node.depth);
    (open.at(-1)?.children ?? roots).push(branch);
    open.push(branch);
  }
  return lines(roots, '', all, true);
}

function lines(branches: readonly Branch[], indent: string, all: boolean, root: boolean): Line[] {
  const items = all ? branches : shortened(branches);
  return items.flatMap((item, i) => {
    const last = i === items.length - 1;
    const prefix = root ? '' : `${indent}${last ? '└─ ' : '├─ '}`;
    if ('more' in item) return [{ prefix, more: item.more }];
    return [{ prefix, node: item.node }, ...lines(item.children, root ? '' : `${indent}${last ? '   ' : '│  '}`, all, false)];
  });
}

/** The newest versions of each name and the first names; what something stands on is not left out for being old. */
function shortened(branches: readonly Branch[]): (Branch | { readonly more: string })[] {
  const names = [...Map.groupBy(branches, ({ node }) => (node.kind === 'image' ? node.name : '')).values()];
  const shown = names.slice(0, SHOWN.names).flatMap((versions) => {
    const name = versions[0]?.node.kind === 'image' ? versions[0].node.name : undefined;
    const kept = name === undefined ? versions : versions.filter(({ children }, i) => i < SHOWN.versions || children.length > 0);
    const left = versions.length - kept.length;
    return left === 0 ? kept : [...kept, { more: `${left} more of ${name}` }];
  });
  const left = names.slice(SHOWN.names).reduce((sum, versions) => sum + versions.reduce((count, { node }) => count + node.beneath + 1, 0), 0);
  return left === 0 ? shown : [...shown, { more: `${left} more images` }];
}
