import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareFiles, compareFolders, LISTING_FORMAT, parseListing, unsureFiles, type FileEntry, type FileList } from './files.ts';

function file(changes: Partial<FileEntry> = {}): FileEntry {
  return { type: 'f', mode: '644', owner: '0:0', size: 10, inode: 1, modified: '1.0', changed: '2.0', target: '', ...changes };
}

const lists = (entries: Record<string, FileEntry>): FileList => new Map(Object.entries(entries));

/** Every change, with contents that are the same but for some paths. */
function compare(before: FileList, after: FileList, haveCommonLayer = false, otherContent: readonly string[] = []): string[] {
  const unsure = new Set(unsureFiles(before, after, haveCommonLayer));
  return compareFiles(before, after, (path) => !otherContent.includes(path), unsure).map(({ path, change, aspects }) => [change, path, ...aspects].join(' '));
}

const hasFind = ((): boolean => {
  try {
    return execFileSync('find', ['--version'], { encoding: 'utf8' }).includes('GNU');
  } catch {
    return false;
  }
})();

test.skipIf(!hasFind)('a listing by find is read, whatever files are called (skipped without GNU find)', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ingot-test-'));
  await using _undo = { [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
  await mkdir(join(root, 'folder'), { mode: 0o751 });
  await writeFile(join(root, 'folder', 'two\nlines\t"x"'), 'content');
  await chmod(join(root, 'folder', 'two\nlines\t"x"'), 0o4750);
  await symlink('/etc/shadow', join(root, ' link '));
  const files = parseListing(execFileSync('find', [root, '-printf', LISTING_FORMAT], { encoding: 'utf8' }));
  expect([...files.keys()].toSorted()).toEqual([' link ', 'folder', 'folder/two\nlines\t"x"']);
  expect(files.get('folder')).toMatchObject({ type: 'd', mode: '751' });
  expect(files.get('folder/two\nlines\t"x"')).toMatchObject({ type: 'f', mode: '4750', size: 7, owner: `${process.getuid?.()}:${process.getgid?.()}` });
  expect(files.get(' link ')).toMatchObject({ type: 'l', target: '/etc/shadow' });
  await link(join(root, 'folder', 'two\nlines\t"x"'), join(root, 'again'));
  const linked = parseListing(execFileSync('find', [root, '-printf', LISTING_FORMAT], { encoding: 'utf8' }));
  expect(linked.size).toBe(4);
  expect(compareFolders(new Map(), linked, 1)).toEqual([{ folder: '/', before: 0, after: 7 }]); // one file, however many names
});

test('any listing is read as it was printed', () => {
  const name = fc.stringMatching(/^[^\0]{1,12}$/);
  const entry = fc.record({
    type: fc.constantFrom('f', 'd', 'l'),
    mode: fc.constantFrom('644', '4755'),
    owner: fc.constant('0:0'),
    size: fc.nat(),
    inode: fc.nat(),
    modified: fc.constant('1.5'),
    changed: fc.constant('2.5'),
    target: fc.stringMatching(/^[^\0]{0,8}$/),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(name, entry), { maxLength: 8 }), (entries) => {
      const expected = new Map(entries);
      const printed = [['', file({ type: 'd' })] as const, ...expected]
        .map(([path, one]) =>
          [one.type, one.mode, one.owner, one.size, one.inode, one.modified, one.changed, one.target, path].map((field) => `${field}\0`).join(''),
        )
        .join('\n');
      expect(parseListing(`${printed}\n`)).toEqual(expected);
    }),
  );
});

test('added, removed and changed files, each aspect by its name', () => {
  const before = lists({
    same: file(),
    gone: file(),
    grown: file(),
    mode: file(),
    owner: file(),
    kind: file(),
    link: file({ type: 'l', target: 'a', mode: '777' }),
    touched: file(),
  });
  const after = lists({
    same: file({ modified: '9', changed: '9' }),
    grown: file({ size: 11 }),
    mode: file({ mode: '4755' }),
    owner: file({ owner: '1:1' }),
    kind: file({ type: 'd', mode: '755' }),
    link: file({ type: 'l', target: 'b', mode: '755' }),
    touched: file({ modified: '9' }),
    new: file(),
  });
  expect(compare(before, after, false, ['touched'])).toEqual([
    'removed gone',
    'changed grown content',
    'changed kind type',
    'changed link target',
    'changed mode mode',
    'added new',
    'changed owner owner',
    'changed touched content',
  ]);
});

test('equal times spare the reading only where both stand on the same layer', () => {
  const [before, after] = [lists({ a: file(), b: file() }), lists({ a: file(), b: file({ changed: '3.0' }) })];
  expect(unsureFiles(before, after, true)).toEqual(['b']);
  expect(unsureFiles(before, after, false)).toEqual(['a', 'b']);
  expect(unsureFiles(lists({ a: file() }), lists({ a: file({ size: 11 }) }), false)).toEqual([]);
});

test('what is in a folder follows it', () => {
  const after = lists({ 'a-b': file(), 'a/x': file(), a: file({ type: 'd' }) });
  expect(compare(lists({}), after)).toEqual(['added a', 'added a/x', 'added a-b']);
});

test('bytes by folder, the largest difference first', () => {
  const before = lists({ 'usr/share/doc/x': file({ inode: 1, size: 500 }), 'etc/a': file({ inode: 2, size: 10 }), boot: file({ inode: 3 }) });
  const after = lists({
    'usr/share/doc/x': file({ inode: 1, size: 100 }),
    'usr/lib/y': file({ inode: 5, size: 1000 }),
    'etc/a': file({ inode: 2, size: 10 }),
    boot: file({ inode: 3 }),
  });
  expect(compareFolders(before, after, 2)).toEqual([
    { folder: '/usr/lib', before: 0, after: 1000 },
    { folder: '/usr/share', before: 500, after: 100 },
  ]);
  expect(compareFolders(before, after, 1)).toEqual([{ folder: '/usr', before: 500, after: 1100 }]);
});

test('a list does not differ from itself, and the other way round adds what was removed', () => {
  const list = fc.dictionary(
    fc.stringMatching(/^[a-c]{1,2}$/),
    fc.record({ type: fc.constantFrom('f', 'd', 'l'), size: fc.nat(3), mode: fc.constantFrom('644', '755') }),
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(list, list, (a, b) => {
      const [before, after] = [a, b].map((one) => new Map(Object.entries(one).map(([path, changes]) => [path, file(changes)])));
      expect(compare(before!, before!)).toEqual([]);
      const swapped = { added: 'removed', removed: 'added', changed: 'changed' };
      const there = compare(before!, after!);
      const back = compare(after!, before!).map((line) => line.replace(/^added|^removed|^changed/, (word) => swapped[word as keyof typeof swapped]));
      expect(back).toEqual(there);
    }),
  );
});
