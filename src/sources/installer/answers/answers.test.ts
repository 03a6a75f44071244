import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RELEASES, anyFacts, sampleFacts } from '../../../../tests/support/install-facts.ts';
import { IngotError } from '../../../base/errors.ts';
import { answerKind, checkAnswers, readAnswers, writeAnswers } from './answers.ts';
import type { AnswerFiles, AnswerKind } from './answer-files.ts';
import { installFactsSchema, type InstallFacts, type InstallRelease } from './facts.ts';

const WITH_RHEL = [...RELEASES, { kind: 'kickstart' as const, release: { distribution: 'rhel', version: '10', architecture: 'amd64' as const } }];
const NAMES = WITH_RHEL.map(({ kind, release }): [string, AnswerKind, InstallRelease] => [`${kind} of ${release.distribution}`, kind, release]);
/** The file that checks look at. */
const main = ({ files }: AnswerFiles): string => files.find(({ name }) => name !== 'install.sh')?.text ?? '';

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof IngotError ? error.code : String(error);
  }
  return 'none';
}

describe.each(NAMES)('%s', (_name, kind, release) => {
  test('is what the release reads', () => {
    expect(answerKind(release)).toBe(kind);
  });

  test('says any facts so that they are read back', () => {
    fc.assert(
      fc.property(anyFacts(kind, release), (facts) => {
        const checked = installFactsSchema.parse(facts);
        expect(readAnswers(kind, writeAnswers(kind, facts).files, release)).toEqual(checked);
      }),
      { numRuns: 60 },
    );
  });

  test('has nothing to object to in what is written', () => {
    fc.assert(
      fc.property(anyFacts(kind, release), (facts) => {
        expect(checkAnswers(kind, main(writeAnswers(kind, facts)))).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });

  test('has a problem at a line of any other text, and never breaks', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        for (const problem of checkAnswers(kind, text)) {
          expect(problem.line).toBeGreaterThanOrEqual(1);
          expect(problem.line).toBeLessThanOrEqual(text.split('\n').length);
          expect(problem.column).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 60 },
    );
    expect(checkAnswers(kind, '')).not.toEqual([]);
  });

  test('does not read the files of others', () => {
    const { files } = writeAnswers(kind, sampleFacts(release));
    for (const { name } of files.slice(0, 1)) {
      expect(
        codeOf(() =>
          readAnswers(
            kind,
            files.map((file) => (file.name === name ? { name, text: '' } : file)),
            release,
          ),
        ),
      ).toMatch(/^(answers-unreadable|none)$/);
    }
    expect(codeOf(() => readAnswers(kind, [], release))).toBe('answers-unreadable');
  });

  test('is written the same from the same facts, with one way to hand it over', () => {
    const [first, second] = [writeAnswers(kind, sampleFacts(release)), writeAnswers(kind, sampleFacts(release))];
    expect(first.files).toEqual(second.files);
    expect([...first.files.map(({ name }) => name), first.overlay?.name]).toContain(first.fetchedFirst);
    const http = first.delivery.http?.('http://10.0.2.2:8000') ?? [];
    expect([...http, ...(first.delivery.disk?.kernelArguments ?? [])].every((argument) => /^\S+$/.test(argument))).toBe(true);
    expect(first.delivery.http?.('http://10.0.2.2:8000/')).toEqual(http);
  });
});

test('what an installer cannot have is refused', () => {
  const facts = (distribution: string, version: string, more: Partial<InstallFacts>): InstallFacts => ({
    ...sampleFacts({ distribution, version, architecture: 'amd64' }),
    ...more,
  });
  const disk = { device: 'first', firmware: 'bios', filesystem: 'btrfs' } as const;
  const suse = { kind: 'suse', registrationCode: 'A-B' } as const;
  expect(codeOf(() => writeAnswers('kickstart', facts('almalinux', '9', { disk })))).toBe('answers-unsupported');
  expect(codeOf(() => writeAnswers('preseed', facts('debian', '12', { subscription: suse })))).toBe('answers-unsupported');
  expect(codeOf(() => writeAnswers('kickstart', facts('almalinux', '9', { subscription: suse })))).toBe('answers-unsupported');
  expect(codeOf(() => writeAnswers('autoinstall', facts('ubuntu', '24.04', { subscription: { kind: 'product-key', key: 'wrong' } })))).toBe(
    'product-key-invalid',
  );
});

test('an error about a product key does not show it', () => {
  try {
    writeAnswers('autoinstall', {
      ...sampleFacts({ distribution: 'ubuntu', version: '24.04', architecture: 'amd64' }),
      subscription: { kind: 'product-key', key: 'wrong-key-value' },
    });
  } catch (error) {
    expect(JSON.stringify(error) + String(error)).not.toContain('wrong-key-value');
  }
});
