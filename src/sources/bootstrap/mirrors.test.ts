import { describe, expect, test } from 'vitest';
import { archiveOf, findRelease } from '../../catalog/catalog.ts';
import { readCatalogFolder } from '../../catalog/folder.ts';
import { hostFiles } from '../../base/files.ts';
import { chooseMirrors, mirrorsOfSettings, parseDeb822, parseOneLine } from './mirrors.ts';

const release = findRelease(await readCatalogFolder(), 'debian-12');

/** A host whose only files are these. */
const hostWith = (contents: Readonly<Record<string, string>>) => ({
  files: {
    ...hostFiles,
    read: async (path: string) => {
      const text = contents[path];
      if (text === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' });
      return Buffer.from(text);
    },
    list: async (folder: string) =>
      Object.keys(contents)
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)),
  },
});

const DEBIAN = { '/etc/os-release': 'ID=debian\nVERSION_ID="12"\n' };

describe('the mirrors of a build', () => {
  test("are the host's own where the host is Debian", async () => {
    const host = hostWith({
      ...DEBIAN,
      '/etc/apt/sources.list.d/debian.sources':
        'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://mirror.example/security/\nSuites: bookworm-security\nComponents: main\n',
    });
    expect(await chooseMirrors(host, release, 'amd64', {})).toEqual({ archive: 'http://mirror.example/debian', security: 'http://mirror.example/security' });
  });

  test("are the catalog's on another host, whatever is configured there", async () => {
    const host = hostWith({ '/etc/os-release': 'ID=ubuntu\nID_LIKE=debian\n', '/etc/apt/sources.list': 'deb http://archive.example/ubuntu jammy main\n' });
    expect(await chooseMirrors(host, release, 'amd64', {})).toEqual(archiveOf(release).mirrors);
  });

  test('are those that the user names, above all', async () => {
    const host = hostWith({ ...DEBIAN, '/etc/apt/sources.list': 'deb http://mirror.example/debian bookworm main\n' });
    expect((await chooseMirrors(host, release, 'amd64', { archive: 'https://mine.example/debian/' })).archive).toBe('https://mine.example/debian');
  });

  test.each(['mirror.example/debian', 'ftp://mirror.example/debian', 'file:///srv/debian', 'http://a b/', 'http://me:secret@mirror.example/debian', ''])(
    'refuse %j',
    async (archive) => {
      await expect(chooseMirrors(hostWith(DEBIAN), release, 'amd64', { archive })).rejects.toMatchObject({ code: 'mirror-invalid' });
    },
  );
});

test('a one-line file: options, comments, sources and blank lines', () => {
  const text =
    '# deb http://old.example/ x main\n\ndeb [arch=amd64 signed-by=/k] http://a.example/debian bookworm main contrib # ours\ndeb-src http://a.example/debian bookworm main\n';
  expect(parseOneLine(text)).toEqual([{ uri: 'http://a.example/debian', suites: ['bookworm'], components: ['main', 'contrib'] }]);
});

test('a deb822 file: continued fields, several URIs, comments, disabled entries', () => {
  const text =
    'Types: deb deb-src\nURIs: http://a.example/debian\n http://b.example/debian\n# a comment\nSuites: bookworm\nComponents: main\n\nEnabled: no\nTypes: deb\nURIs: http://c.example/\nSuites: x\nComponents: main\n';
  expect(parseDeb822(text).map((entry) => entry.uri)).toEqual(['http://a.example/debian', 'http://b.example/debian']);
});

test('the plain settings are of Debian alone; others are named by their distribution, and architectures before them', () => {
  const settings = {
    mirror: 'http://d.example/debian',
    'security-mirror': 'http://d.example/security',
    'distribution-mirrors': 'ubuntu=http://u.example/ubuntu, ubuntu/arm64=http://u.example/ports?a=b,ubuntu-security=http://u.example/security',
  };
  const of = (distribution: string, arch = 'amd64', from: Parameters<typeof mirrorsOfSettings>[0] = settings): unknown =>
    Object.values(mirrorsOfSettings(from, { distribution }, arch));
  expect(of('debian')).toEqual(['http://d.example/debian', 'http://d.example/security']);
  expect(of('ubuntu')).toEqual(['http://u.example/ubuntu', 'http://u.example/security']);
  expect(of('ubuntu', 'arm64')).toEqual(['http://u.example/ports?a=b', 'http://u.example/security']);
  expect(of('devuan')).toEqual([undefined, undefined]);
  expect(of('debian', 'amd64', {})).toEqual([undefined, undefined]);
  expect(of('debian', 'amd64', { ...settings, 'distribution-mirrors': 'debian=http://own.example/debian' })).toEqual([
    'http://own.example/debian',
    'http://d.example/security',
  ]);
});
