import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeIso } from './seed-iso.ts';

const SECTOR = 2048;

/** Reads one of the two trees back, from its descriptor on: written by the standard, not by the writer. */
function readBack(image: Uint8Array, descriptor: 16 | 17): { readonly label: string; readonly files: Map<string, Buffer> } {
  const bytes = Buffer.from(image);
  const wide = descriptor === 17;
  const text = (part: Buffer): string => (wide ? Buffer.from(part).swap16().toString('utf16le') : part.toString('latin1'));
  const head = bytes.subarray(descriptor * SECTOR, (descriptor + 1) * SECTOR);
  expect(head.subarray(1, 6).toString('latin1')).toBe('CD001');
  expect(head.readUInt32LE(80) * SECTOR).toBe(bytes.length);
  expect(head.readUInt32BE(84)).toBe(head.readUInt32LE(80));
  const root = head.readUInt32LE(156 + 2) * SECTOR;
  const files = new Map<string, Buffer>();
  for (let at = root; bytes[at] !== 0; at += bytes[at] ?? 1) {
    const [extent, size, flags, length] = [bytes.readUInt32LE(at + 2), bytes.readUInt32LE(at + 10), bytes[at + 25] ?? 0, bytes[at + 32] ?? 0];
    if (flags === 0) files.set(text(bytes.subarray(at + 33, at + 33 + length)).replace(/;1$/, ''), bytes.subarray(extent * SECTOR, extent * SECTOR + size));
  }
  return { label: text(head.subarray(40, 72)).trim(), files };
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z-]{0,20}[a-z]$/), { minLength: 1, maxLength: 6 });
const contents = names.chain((all) => fc.tuple(...all.map((name) => fc.uint8Array({ maxLength: 6000 }).map((bytes) => [name, bytes] as const))));

test('both trees hold every file, under its own name, whatever it holds', () => {
  fc.assert(
    fc.property(contents, (all) => {
      const image = makeIso('cidata', new Map(all));
      const [plain, joliet] = [readBack(image, 16), readBack(image, 17)];
      expect([plain.label, joliet.label]).toEqual(['cidata', 'cidata']);
      for (const [name, bytes] of all) {
        expect(joliet.files.get(name)).toEqual(Buffer.from(bytes));
        expect(plain.files.get(name.toUpperCase())).toEqual(Buffer.from(bytes));
      }
    }),
  );
});

test('names that do not fit are refused', () => {
  const files = new Map(Array.from({ length: 60 }, (_, index) => [`a-long-name-of-a-file-${index}`, new Uint8Array(1)]));
  expect(() => makeIso('cidata', files)).toThrow(RangeError);
});
