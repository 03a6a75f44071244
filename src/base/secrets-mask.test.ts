import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from './errors.ts';
import { masker, secretFinder, SHORTEST_MASKED } from './secrets-mask.ts';

/** Texts over few characters, so that values overlap, touch and nearly begin. */
const small = fc.string({ unit: fc.constantFrom('a', 'b', '*', '\n', ' '), maxLength: 60 });
const value = fc.oneof(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 9 }), fc.string({ minLength: 1, maxLength: 20 }));
const values = fc.array(value, { minLength: 1, maxLength: 4 });

/** A text with the values in it, in several forms. */
const about = values.chain((secrets) =>
  fc.record({
    secrets: fc.constant(secrets),
    text: fc
      .array(
        fc.oneof(
          small,
          fc.string({ maxLength: 8 }),
          fc.constantFrom(...secrets),
          fc.constantFrom(...secrets).map((secret) => Buffer.from(secret).toString('base64')),
          fc.constantFrom(...secrets).map((secret) => encodeURIComponent(secret)),
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join('')),
  }),
);

function inPieces(secrets: readonly string[], text: string, cuts: readonly number[]): string {
  const stream = masker(secrets).stream();
  let out = '';
  let from = 0;
  for (const cut of [...cuts.map((part) => Math.floor(part * text.length)), text.length].toSorted((a, b) => a - b)) {
    out += stream.push(text.slice(from, cut));
    from = cut;
  }
  return out + stream.end();
}

describe('masking', () => {
  test('never shows a value', () => {
    fc.assert(
      fc.property(about, ({ secrets, text }) => {
        const shown = masker(secrets).text(text);
        for (const secret of secrets) if (secret.length >= SHORTEST_MASKED) expect(shown).not.toContain(secret);
      }),
      { numRuns: 500 },
    );
  });

  test('gives the same however the text is cut', () => {
    fc.assert(
      fc.property(about, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }), ({ secrets, text }, cuts) => {
        expect(inPieces(secrets, text, cuts)).toBe(masker(secrets).text(text));
        expect(
          inPieces(
            secrets,
            text,
            [...text].map((_, index) => index / text.length),
          ),
        ).toBe(masker(secrets).text(text));
      }),
      { numRuns: 500 },
    );
  });

  test('what is shown before the end never holds a value, and nothing is lost but values', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('x', 'y', 's', 'e'), maxLength: 40 }), (text) => {
        const stream = masker(['secret-value']).stream();
        let shown = '';
        for (const character of text) {
          shown += stream.push(character);
          expect(text.startsWith(shown)).toBe(true);
        }
        expect(shown + stream.end()).toBe(text);
      }),
    );
  });

  test('leaves alone what is no secret', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('x', 'y', ' ', '\n') }), (text) => {
        expect(masker(['sesame-open']).text(text)).toBe(text);
      }),
    );
    expect(masker([]).text('anything')).toBe('anything');
    expect(masker(['abc', '']).text('abc')).toBe('abc');
  });

  test('holds back only what may become a value', () => {
    const stream = masker(['hunter22']).stream();
    expect(stream.push('password? hun')).toBe('password? ');
    expect(stream.push('ting\nhunter2')).toBe('hunting\n');
    expect(stream.push('2 is it')).toBe('*** is it');
    expect(stream.end()).toBe('');
  });
});

describe('forms of a value', () => {
  const secret = "p@ss w0rd/'x'";
  test.each([
    ['as it is', secret, '***'],
    ['inside other text', `a${secret}b`, 'a***b'],
    ['twice', `${secret}${secret} ${secret}`, '*** ***'],
    ['in a URL', `https://me:${encodeURIComponent(secret)}@host`, 'https://me:***@host'],
    ['in a form', `password=${new URLSearchParams({ a: secret }).toString().slice(2)}&b=1`, 'password=***&b=1'],
    ['in JSON', JSON.stringify({ a: secret }), '{"a":"***"}'],
    ['in shell quotes', `echo '${secret.replaceAll("'", String.raw`'\''`)}'`, "echo '***'"],
    ['in base64', Buffer.from(secret).toString('base64'), '***'],
    ['in base64 for URLs', Buffer.from(secret).toString('base64url'), '***'],
  ])('%s', (_, text, shown) => expect(masker([secret]).text(text)).toBe(shown));

  test('in base64 of something longer, at every place of a group', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), (before, after) => {
        const shown = masker(['a-long-secret-value']).text(Buffer.from(`${before}a-long-secret-value${after}`).toString('base64'));
        expect(shown).toContain('***');
        expect(shown).not.toContain(Buffer.from('long-secret-val').toString('base64').slice(2, -2));
        expect(Buffer.from(shown.replaceAll('*', ''), 'base64').toString('latin1')).not.toContain('secret');
      }),
    );
  });

  test('a key of several lines, printed line by line', () => {
    const key = '-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjE\nAAAAB3NzaC1yc2E\n-----END KEY-----\n';
    const mask = masker([key]);
    for (const line of key.trim().split('\n')) expect(mask.text(`out: ${line}`)).toBe(line.startsWith('---') ? `out: ${line}` : 'out: ***');
    expect(mask.text(key)).toBe('***');
    expect(mask.text(key.replaceAll('\n', '\r\n'))).toBe('***');
  });

  test('a text holds a value where the whole of it is there, in some form', () => {
    const config = 'apiVersion: v1\ntoken: hunter22\n';
    expect(secretFinder(config)('apiVersion: v1\nkind: Pod\n')).toBe(false);
    for (const form of [config, config.trim(), Buffer.from(config).toString('base64'), JSON.stringify(config)])
      expect(secretFinder(config)(`a ${form} b`)).toBe(true);
    fc.assert(
      fc.property(about, ({ secrets, text }) => {
        for (const secret of secrets) if (secret.trim() !== '') expect(secretFinder(secret)(text) || !text.includes(secret)).toBe(true);
      }),
    );
  });
});

test('an error is masked in all that is shown of it', () => {
  const secret = 'hunter22';
  const cause = new Error(`curl ${secret}`, { cause: new IngotError('command', 'a', `b ${secret}`, { detail: secret }) });
  const error = new IngotError('command', 'step-failed', `The step said ${secret}`, {
    cause,
    hint: `try ${secret}`,
    detail: `$ login ${secret}`,
    problems: [{ message: `wrong ${secret}`, path: secret, hint: secret, position: { file: '/f', line: 1, column: 2 }, source: `run: ${secret}` }],
  });
  const masked = masker([secret]).error(error);
  expect(masked).toMatchObject({ class: 'command', code: 'step-failed', message: 'The step said ***', hint: 'try ***', detail: '$ login ***' });
  expect(masked.problems).toEqual([{ message: 'wrong ***', path: '***', hint: '***', position: { file: '/f', line: 1, column: 2 }, source: 'run: ***' }]);
  const everything: string[] = [];
  for (let at: unknown = masked; at instanceof Error; at = at.cause) everything.push(at.message, at.stack ?? '', JSON.stringify(at));
  expect(everything.join('\n')).not.toContain(secret);
  expect(everything).toContain('curl ***');
});
