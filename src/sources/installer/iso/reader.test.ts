import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeIso } from '../../../../tests/support/iso.ts';
import { failureOf } from '../../../../tests/support/templates.ts';
import { IngotError } from '../../../base/errors.ts';
import { hostFiles } from '../../../base/files.ts';
import { hostPath, type HostPath } from '../../../base/types.ts';
import { IsoImage } from './reader.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'iso-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string): HostPath => hostPath(join(folder, name));
const open = (name: string): Promise<IsoImage> => IsoImage.open(hostFiles, at(name));

const FILES = { '.disk/info': 'Debian GNU/Linux 12.5.0', 'install.amd/vmlinuz': 'a kernel', 'install.amd/initrd.gz': 'an initrd', 'README.txt': '' };

describe.each(['rock-ridge', 'joliet', 'plain'] as const)('a medium with %s names', (names) => {
  test('its label, files and folders are found', async () => {
    await writeIso(at('a.iso'), 'Debian 12.5.0 amd64 n', FILES, names);
    const iso = await open('a.iso');
    expect(iso.label).toBe('Debian 12.5.0 amd64 n');
    expect(await iso.text('.disk/info')).toBe(FILES['.disk/info']);
    expect(await iso.text('/install.amd/vmlinuz')).toBe('a kernel');
    expect((await iso.list('install.amd')).map(({ name }) => name.toLowerCase())).toEqual(['vmlinuz', 'initrd.gz']);
    expect(await iso.find('install.amd/none')).toBeUndefined();
    expect(await iso.find('README.txt/none')).toBeUndefined();
    expect(await iso.list('none')).toEqual([]);
  });

  test('a file is copied as it is, unless it is larger than it may be', async () => {
    const content = Buffer.alloc(5_000_001, 7);
    await writeIso(at('a.iso'), 'X', { linux: content }, names);
    const iso = await open('a.iso');
    const entry = await iso.find('linux');
    if (entry === undefined) throw new Error('it is not there');
    await iso.extract(entry, at('linux'), 2 ** 30);
    expect(readFileSync(at('linux')).equals(content)).toBe(true);
    expect(await failureOf(iso.extract(entry, at('other'), 1000))).toMatchObject({ code: 'iso-file-too-large' });
    expect(existsSync(at('other'))).toBe(false);
  });
});

test('many files in one folder, with long names', async () => {
  const names = Array.from({ length: 120 }, (_, i) => `${'n'.repeat(i)}-${i}`);
  await writeIso(at('a.iso'), 'X', Object.fromEntries(names.map((name) => [`some/folder/${name}`, name])));
  const iso = await open('a.iso');
  expect((await iso.list('some/folder')).map(({ name }) => name)).toEqual(names);
  expect(await iso.text(`some/folder/${names[100]}`)).toBe(names[100]);
});

test('what is no image, or is cut off, is refused', async () => {
  writeFileSync(at('a.iso'), Buffer.alloc(100_000));
  expect(await failureOf(open('a.iso'))).toMatchObject({ code: 'iso-invalid' });
  expect(await failureOf(open('none.iso'))).toMatchObject({ code: 'file-missing' });
  await writeIso(at('b.iso'), 'X', FILES);
  const bytes = readFileSync(at('b.iso'));
  writeFileSync(at('c.iso'), bytes.subarray(0, 18 * 2048 + 10));
  const cut = await open('c.iso');
  expect(await failureOf(cut.find('README.txt'))).toMatchObject({ code: 'iso-invalid', message: expect.stringContaining('cut off') });
});

test('a medium that lies is refused or read, but nothing else happens', async () => {
  await writeIso(at('a.iso'), 'X', FILES);
  const good = readFileSync(at('a.iso'));
  const changes = fc.array(fc.record({ at: fc.nat(10 * 2048), byte: fc.nat(255) }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(changes, async (all) => {
      const bytes = Buffer.from(good);
      for (const change of all) bytes[16 * 2048 + (change.at % (bytes.length - 16 * 2048))] = change.byte;
      writeFileSync(at('b.iso'), bytes);
      try {
        const iso = await open('b.iso');
        for (const path of Object.keys(FILES)) await iso.text(path);
      } catch (error) {
        if (!(error instanceof IngotError) || error.code !== 'iso-invalid') throw error;
      }
    }),
    { numRuns: 150 },
  );
});

const program = ['/usr/bin/xorriso', '/usr/bin/genisoimage'].find((path) => existsSync(path));
describe.skipIf(program === undefined)(`what others wrote${program === undefined ? ' (skipped: there is neither xorriso nor genisoimage)' : ''}`, () => {
  test.each([
    ['Rock Ridge', ['-R']],
    ['Joliet', ['-J']],
    ['both', ['-R', '-J']],
    ['a deep tree', ['-R']],
  ])('%s', async (_, flags) => {
    const deep = 'a/b/c/d/e/f/g/h/i/j/file';
    mkdirSync(join(folder, 'tree/a/b/c/d/e/f/g/h/i/j'), { recursive: true });
    mkdirSync(join(folder, 'tree/boot'));
    const name = `${'long-name-'.repeat(20)}x`;
    writeFileSync(join(folder, 'tree', deep), 'deep');
    if (flags.includes('-R')) writeFileSync(join(folder, 'tree/boot', name), 'long');
    writeFileSync(join(folder, 'tree/boot/vmlinuz'), 'kernel');
    execFileSync(
      program ?? '',
      [...(program?.endsWith('xorriso') === true ? ['-as', 'mkisofs'] : []), '-quiet', '-V', 'LABEL', ...flags, '-o', at('a.iso'), join(folder, 'tree')],
      { stdio: 'ignore' },
    );
    const iso = await open('a.iso');
    expect(iso.label).toBe('LABEL');
    expect(await iso.text('boot/vmlinuz')).toBe('kernel');
    if (flags.includes('-R')) expect([await iso.text(deep), await iso.text(`boot/${name}`)]).toEqual(['deep', 'long']);
  });
});
