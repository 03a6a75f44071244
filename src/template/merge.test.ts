import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostPath } from '../base/types.ts';
import { merge } from './merge.ts';
import { parseSource, plainOf, type MapNode, type Node, type PlacedProblem } from './source.ts';
import { escapeReferences, fillIn } from './variables.ts';

/** As YAML; JSON is that too. */
function nodeOf(value: unknown): Node {
  const { root, problems } = parseSource(hostPath('/x.yaml'), JSON.stringify(value));
  if (root === undefined) throw new Error(problems.map(({ message }) => message).join(', '));
  return root;
}

const word = fc.stringMatching(/^[a-z]{1,3}$/);
const scalar = fc.oneof(word, fc.integer(), fc.boolean());
/** A part of a template in which each key always is of the same kind, as in templates. */
const part = fc.record(
  {
    name: word,
    packages: fc.array(word, { maxLength: 4 }),
    labels: fc.dictionary(word, scalar, { maxKeys: 4 }),
    system: fc.record({ timezone: word, sysctl: fc.dictionary(word, scalar, { maxKeys: 3 }), ntp: fc.array(word, { maxLength: 2 }) }, { requiredKeys: [] }),
    from: fc.oneof(word, fc.record({ image: word }), fc.record({ release: word })),
  },
  { requiredKeys: [] },
);
type Part = { packages?: string[]; labels?: object; system?: { sysctl?: object; ntp?: string[] }; name?: string; from?: unknown };

test('parts joined in turn: lists one after the other, maps merged, the last single value', () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts: Part[]) => {
      const [first, ...rest] = parts.map(nodeOf);
      if (first === undefined) throw new Error('there is a part');
      const joined = plainOf(rest.reduce<Node>((below, above) => merge(below, above), first));
      const concat = (lists: (string[] | undefined)[]): string[] | undefined =>
        lists.some((list) => list !== undefined) ? lists.flatMap((list) => list ?? []) : undefined;
      const assign = (maps: (object | undefined)[]): object | undefined => (maps.some((map) => map !== undefined) ? Object.assign({}, ...maps) : undefined);
      const expected = {
        ...assign(parts.map(({ name }) => (name === undefined ? {} : { name }))),
        ...assign(parts.map(({ from }) => (from === undefined ? {} : { from }))),
        packages: concat(parts.map(({ packages }) => packages)),
        labels: assign(parts.map(({ labels }) => labels)),
        system: assign([
          ...parts.map(({ system }) => system),
          parts.some(({ system }) => system?.sysctl !== undefined) ? { sysctl: assign(parts.map(({ system }) => system?.sysctl)) } : undefined,
          parts.some(({ system }) => system?.ntp !== undefined) ? { ntp: concat(parts.map(({ system }) => system?.ntp)) } : undefined,
        ]),
      };
      expect(joined).toEqual(JSON.parse(JSON.stringify(expected)));
    }),
    { numRuns: 300 },
  );
});

test('joining is associative, and what is empty changes nothing', () => {
  fc.assert(
    fc.property(part, part, part, (a, b, c) => {
      const [x, y, z] = [nodeOf(a), nodeOf(b), nodeOf(c)];
      expect(plainOf(merge(merge(x, y), z))).toEqual(plainOf(merge(x, merge(y, z))));
      const nothing: MapNode = { kind: 'map', place: x.place, entries: new Map() };
      expect(plainOf(merge(x, nothing))).toEqual(a);
      expect(plainOf(merge(nothing, x))).toEqual(a);
    }),
    { numRuns: 200 },
  );
});

test('any text can be written so that it stays what it is, and text without references does', () => {
  const text = fc
    .array(fc.constantFrom('{{', '}}', '{', '}', '\\', ' ', 'a', 'b-1', '.', '\n', '{{ a }}', '{{a}}', '\\{{ a }}'))
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (original) => {
      const problems: PlacedProblem[] = [];
      const tree = nodeOf({ x: escapeReferences(original), list: [escapeReferences(original)] });
      expect(plainOf(fillIn(tree, new Map(), problems))).toEqual({ x: original, list: [original] });
      expect(problems).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

test('a value put into a text is not looked at again', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string().filter((made) => !/[{\\]/.test(made)),
      (value, around) => {
        const tree = nodeOf({ alone: '{{ v }}', inside: `${around}{{ v }}!` });
        expect(plainOf(fillIn(tree, new Map([['v', value]]), []))).toEqual({ alone: value, inside: `${around}${value}!` });
      },
    ),
    { numRuns: 300 },
  );
});
