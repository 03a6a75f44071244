import { parseTemplateText } from '../hcl/parse.ts';
import type { Argument, Block, Body, Expression } from '../hcl/syntax.ts';
import { goExpression } from './go-text.ts';

/** How many labels blocks of a kind have, and the kinds of those in them. */
export interface BlockKinds {
  readonly [type: string]: { readonly labels: number; readonly inner?: BlockKinds };
}

const IN_BUILD: BlockKinds = { source: { labels: 1 }, provisioner: { labels: 1 }, 'post-processor': { labels: 1 } };

/** The blocks of a template; anything else in it is an argument. */
export const TEMPLATE_KINDS: BlockKinds = {
  packer: { labels: 0 },
  variable: { labels: 1, inner: { validation: { labels: 0 } } },
  variables: { labels: 0 },
  locals: { labels: 0 },
  local: { labels: 1 },
  source: { labels: 2, inner: { disks: { labels: 0 }, network_adapters: { labels: 0 } } },
  build: { labels: 0, inner: { ...IN_BUILD, 'post-processors': { labels: 0, inner: IN_BUILD } } },
  data: { labels: 2 },
};

type ObjectExpression = Extract<Expression, { kind: 'object' }>;

/** HCL's JSON as the blocks and arguments that it stands for. */
export function bodyOfJson(value: ObjectExpression, kinds: BlockKinds): Body {
  const found = new Map<string, Argument>();
  const blocks: Block[] = [];
  for (const { name, place, value: item } of value.entries) {
    if (name === '//') continue;
    const kind = kinds[name];
    if (kind === undefined) found.set(name, { name, place, value: templates(item) });
    else blocks.push(...blocksOf(name, item, kind.labels, kind.inner ?? {}, []));
  }
  return { arguments: found, blocks };
}

function blocksOf(type: string, value: Expression, labels: number, inner: BlockKinds, named: readonly string[]): Block[] {
  if (value.kind === 'list') return value.items.flatMap((item) => blocksOf(type, item, labels, inner, named));
  if (value.kind !== 'object') return [];
  if (labels === 0) return [{ type, labels: named, place: value.place, body: bodyOfJson(value, inner) }];
  return value.entries.flatMap(({ name, value: item }) => (name === '//' ? [] : blocksOf(type, item, labels - 1, inner, [...named, name])));
}

/** Texts of JSON are templates. */
function templates(value: Expression): Expression {
  return mapTexts(value, (text, place) => parseTemplateText(text, place));
}

/** The old JSON's values: texts hold Go's templates, of which user variables and the environment are understood. */
export function bodyOfOldJson(value: ObjectExpression): Body {
  const entries = value.entries.filter(({ name }) => name !== 'type' && !name.startsWith('_'));
  const lists = entries.flatMap(({ name, value: item }) =>
    ['disks', 'network_adapters'].includes(name) && item.kind === 'list' ? item.items.flatMap((each) => (each.kind === 'object' ? [{ name, each }] : [])) : [],
  );
  return {
    arguments: new Map(
      entries
        .filter(({ name }) => !lists.some((list) => list.name === name))
        .map(({ name, place, value: item }) => [name, { name, place, value: mapTexts(item, goExpression) }]),
    ),
    blocks: lists.map(({ name, each }) => ({ type: name, labels: [], place: each.place, body: bodyOfOldJson(each) })),
  };
}

function mapTexts(value: Expression, change: (text: string, place: Expression['place']) => Expression): Expression {
  if (value.kind === 'literal') return typeof value.value === 'string' ? change(value.value, value.place) : value;
  if (value.kind === 'list') return { ...value, items: value.items.map((item) => mapTexts(item, change)) };
  if (value.kind === 'object') return { ...value, entries: value.entries.map((entry) => ({ ...entry, value: mapTexts(entry.value, change) })) };
  return value;
}
