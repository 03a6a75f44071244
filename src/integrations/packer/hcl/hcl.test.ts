import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { args, block, comment, type HclItem, type HclValue } from './document.ts';
import { evaluate, type Value } from './evaluate.ts';
import { parseHcl, parseJson, parseTemplateText } from './parse.ts';
import { HclFault, type Body, type Expression } from './syntax.ts';
import { writeHcl, writeHclJson } from './write.ts';

const NO_NAMES = (path: readonly string[]): { reason: string } => ({ reason: path.join('.') });

function valueOf(expression: Expression | undefined): Value {
  if (expression === undefined) throw new Error('there is no such argument');
  const found = evaluate(expression, NO_NAMES);
  if ('unknown' in found) throw new Error(`${found.unknown.reason} (line ${found.unknown.place.line})`);
  return found.value;
}

/** What a body holds, as plain data. */
function plain({ arguments: found, blocks }: Body): unknown {
  return {
    values: Object.fromEntries([...found].map(([name, { value }]) => [name, valueOf(value)])),
    blocks: blocks.map(({ type, labels, body }) => [type, labels, plain(body)]),
  };
}

function faultOf(text: string): string {
  try {
    parseHcl(text);
  } catch (error) {
    if (error instanceof HclFault) return `${error.place.line}:${error.place.column} ${error.message}`;
    throw error;
  }
  throw new Error('nothing was wrong');
}

/** Texts that are hard to write: signs of expressions, quotes, line ends, what looks like the end of a heredoc. */
const hard = fc
  .array(
    fc.oneof(
      fc.constantFrom('${', '%{', '$', '%', '$$', '{', '}', '"', '\\', '\n', '\r', '\t', 'EOT', '<<', '~', "'", '#', '//', '\u2028', '\u0000'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
  )
  .map((parts) => parts.join('').toWellFormed());
const name = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/).filter((text) => !['true', 'false', 'null', 'for', '__proto__'].includes(text));
const value: fc.Memo<HclValue> = fc.memo((depth) =>
  depth <= 1
    ? fc.oneof(hard, fc.integer(), fc.boolean())
    : fc.oneof(
        hard,
        fc.integer(),
        fc.boolean(),
        fc.array(value(depth - 1), { maxLength: 4 }),
        fc.dictionary(
          hard.filter((key) => key !== '__proto__'),
          value(depth - 1),
          { maxKeys: 3 },
        ),
      ),
);
const body: fc.Memo<HclItem[]> = fc.memo((depth) =>
  fc
    .tuple(
      fc.dictionary(name, value(3), { maxKeys: 4 }),
      depth <= 1
        ? fc.constant([])
        : fc.array(
            fc
              .tuple(name, fc.array(fc.stringMatching(/^[a-z][a-z0-9.-]{0,6}$/), { maxLength: 2 }), body(depth - 1))
              .map(([type, labels, inner]) => block(type, labels, inner)),
            { maxLength: 3 },
          ),
    )
    .map(([values, blocks]) => [...args(values), ...blocks.filter(({ type }) => !(type in values))]),
);

function meant(items: readonly HclItem[]): unknown {
  return {
    values: Object.fromEntries(items.flatMap((item) => (item.kind === 'argument' ? [[item.name, item.value]] : []))),
    blocks: items.flatMap((item) => (item.kind === 'block' ? [[item.type, item.labels, meant(item.body)]] : [])),
  };
}

describe('HCL', () => {
  test('what is written is read as the same, whatever the texts hold', () => {
    fc.assert(fc.property(body(3), (items) => void expect(plain(parseHcl(writeHcl(items)))).toEqual(meant(items))));
  });

  test('a text in JSON means itself when Packer reads it as a template', () => {
    fc.assert(
      fc.property(hard, (text) => {
        const json = parseJson(writeHclJson(args({ text })));
        const [entry] = json.kind === 'object' ? json.entries : [];
        expect(valueOf(parseTemplateText(String(valueOf(entry?.value)), { line: 1, column: 1 }))).toBe(text);
      }),
    );
  });

  test('what is HCL and no JSON is refused as JSON, at its place', () => {
    for (const [text, line, column] of [
      ['{\n "a": [1,],\n "b": 1\n}', 2, 10],
      ['{ "a": 1, }', 1, 11],
      ['{ "a": [1 + 1] }', 1, 11],
    ] as const) {
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ place: { line, column } }));
    }
  });

  test('JSON is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => void expect(valueOf(parseJson(JSON.stringify(json, undefined, '\t')))).toEqual(JSON.parse(JSON.stringify(json)))),
    );
  });

  test('no text makes the reader do anything but read or tell a place', () => {
    const words = fc.constantFrom(
      'a',
      '=',
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      '"',
      '${',
      '%{',
      '<<E\n',
      'E\n',
      '\n',
      ',',
      '.',
      '?',
      ':',
      '-',
      '!',
      '1',
      ' for ',
      '/*',
      '*/',
      '#',
      '\\',
      '&&',
      '...',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
        try {
          parseHcl(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(HclFault);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('layout', () => {
    const text = writeHcl([
      comment('Made for a test.'),
      block('variable', ['cpus'], args({ type: 'x', default: 2 }), 'How many.'),
      block('build', [], [...args({ sources: ['a', 'b'] }), block('provisioner', ['shell'], args({ inline: [] }))]),
      ...args({ text: 'one\ntwo ${x}\n' }),
    ]);
    expect(text).toBe(`# Made for a test.

# How many.
variable "cpus" {
  type    = "x"
  default = 2
}

build {
  sources = ["a", "b"]

  provisioner "shell" {
    inline = []
  }
}

text = <<EOT
one
two $\${x}
EOT
`);
  });

  test('what people write is read', () => {
    const read = parseHcl(`# remark
locals { tag = "v\${var.major}.\${local.minor}" } // remark
/* a
   remark */
list = [
  "a", # first
  -1,
]
object = { a = 1, "b" : true
  c = null }
text = <<-EOT
    two \${var.x}
  three
  EOT
chosen = var.a == "x" ? [1, 2] : [for i in range(3) : i * 2]
made = join(",", concat(["a"], ["b"]))
deep = data.x.y[0]["k"]
`);
    expect(valueOf(read.arguments.get('list')?.value)).toEqual(['a', -1]);
    expect(valueOf(read.arguments.get('object')?.value)).toEqual({ a: 1, b: true, c: null });
    expect(valueOf(read.arguments.get('made')?.value)).toBe('a,b');
    expect(read.arguments.get('deep')?.value).toMatchObject({ kind: 'reference', path: ['data', 'x', 'y', '0', 'k'], place: { line: 17, column: 8 } });
    expect(read.arguments.get('chosen')?.value).toMatchObject({ kind: 'other', text: 'var.a == "x" ? [1, 2] : [for i in range(3) : i * 2]' });
    const text = read.arguments.get('text')?.value;
    if (text === undefined) throw new Error('no text');
    expect(evaluate(text, () => ({ value: 'X' }))).toEqual({ value: '  two X\nthree\n' });
    expect(evaluate(text, NO_NAMES)).toMatchObject({ unknown: { reason: 'var.x', place: { line: 12 } } });
  });

  test('faults tell their place', () => {
    expect(faultOf('a = "x')).toBe('1:5 has a text that does not end (")');
    expect(faultOf('a = 1\nb {\n  c = \n}')).toBe('3:7 has the end of the line where a value is expected');
    expect(faultOf('a = 1\na = 2')).toBe('2:1 says a twice');
    expect(faultOf('a = [1 2]')).toBe('1:8 has "2" where , or ] is expected');
    expect(faultOf('x y\n')).toBe('1:4 has the end of the line after x, where = or { is expected');
    expect(faultOf('a {\n  b = 1\n')).toBe('3:1 has the end of the file where a name is expected, or the } of its block');
    expect(faultOf('a = <<EOT\nx\n')).toBe('1:5 has a heredoc that does not end (EOT)');
    expect(faultOf('a = "\\q"')).toBe('1:6 has an escape that there is not: \\q');
    expect(faultOf('a = 1 b = 2')).toBe('1:7 has "b" after the value of a, where its line should end');
    expect(faultOf(`a = ${'['.repeat(100)}`)).toContain('is nested deeper');
    expect(faultOf(`a = ${'!'.repeat(100_000)}1`)).toContain('is nested deeper');
  });
});
