import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeFat, readFat } from './fat.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,40}[a-z0-9]$/);
const files = fc.dictionary(name, fc.uint8Array({ maxLength: 3000 }), { maxKeys: 6 }).map((each) => new Map(Object.entries(each)));
const plain = (map: ReadonlyMap<string, Uint8Array>): object => Object.fromEntries([...map].map(([key, value]) => [key, [...value]]));
const noMtools = ['/usr/bin/mformat', '/usr/bin/mcopy'].find((path) => !existsSync(path));

describe('a FAT12 filesystem', () => {
  test('gives back the files that were put into it', () => {
    fc.assert(fc.property(files, (content) => void expect(plain(readFat(makeFat('CIDATA', content)))).toEqual(plain(content))));
  });

  test('holds files of many megabytes, and refuses what is too large or too much', () => {
    const large = Buffer.alloc(5_000_000, 'x');
    expect(
      readFat(makeFat('CIDATA', new Map([['user-data', large]])))
        .get('user-data')
        ?.equals(large),
    ).toBe(true);
    expect(() => makeFat('CIDATA', new Map([['user-data', new Uint8Array(140_000_000)]]))).toThrow(RangeError);
    expect(() => makeFat('CIDATA', new Map(Array.from({ length: 40 }, (_, i) => [`a-long-name-${i}`, Buffer.of(1)])))).toThrow(RangeError);
  });

  test('that is damaged anywhere is read as something or refused, and never for ever', () => {
    const good = makeFat(
      'CIDATA',
      new Map([
        ['user-data', Buffer.alloc(2000, 'u')],
        ['meta-data', Buffer.alloc(600, 'm')],
      ]),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }), fc.nat(good.length), (at, value, cut) => {
        const damaged = Buffer.from(good);
        damaged[at] = value;
        for (const bytes of [damaged, damaged.subarray(0, cut)]) {
          try {
            readFat(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
      }),
    );
  });

  describe.skipIf(noMtools !== undefined)(`and mtools${noMtools === undefined ? '' : ` (skipped: ${noMtools} is missing)`}`, () => {
    const inFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
      const folder = await mkdtemp(join(tmpdir(), 'ingot-fat-'));
      try {
        await use(folder);
      } finally {
        await rm(folder, { recursive: true });
      }
    };

    test('it reads what is written here', async () => {
      await inFolder(async (folder) => {
        const content = new Map(['user-data', 'meta-data', 'network-config', 'vendor-data'].map((each, i) => [each, Buffer.alloc(i * 900 + 1, each)]));
        await writeFile(join(folder, 'disk'), makeFat('CIDATA', content));
        execFileSync('mcopy', ['-n', '-i', join(folder, 'disk'), '::*', folder]);
        expect((await readdir(folder)).toSorted()).toEqual(['disk', ...content.keys()].toSorted());
        for (const [each, bytes] of content) expect(await readFile(join(folder, each))).toEqual(bytes);
        expect(execFileSync('mlabel', ['-s', '-i', join(folder, 'disk'), '::'], { encoding: 'utf8' })).toContain('CIDATA');
      });
    });

    test('what it wrote is read here', async () => {
      await inFolder(async (folder) => {
        const disk = join(folder, 'disk');
        await writeFile(join(folder, 'user-data'), 'x'.repeat(5000));
        await writeFile(join(folder, 'meta'), 'y');
        execFileSync('mformat', ['-C', '-i', disk, '-v', 'CIDATA', '-T', '288', '-h', '2', '-s', '16', '::']);
        execFileSync('mcopy', ['-i', disk, join(folder, 'user-data'), join(folder, 'meta'), '::']);
        expect(plain(readFat(await readFile(disk)))).toEqual(
          plain(
            new Map([
              ['user-data', Buffer.from('x'.repeat(5000))],
              ['meta', Buffer.from('y')],
            ]),
          ),
        );
      });
    });
  });
});
