import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SAMPLE_TEMPLATE } from '../../../tests/support/sample-template.ts';
import type { PackageRepository, ResolvedSystem } from '../../template/template.ts';
import { alpine } from './family.ts';

const KEY = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
const REPOSITORY: PackageRepository = {
  name: 'tools',
  uri: 'https://pkg.example.org/alpine/',
  suites: ['v3.20'],
  components: ['main', 'community'],
  key: KEY,
  keyName: 'ops@example.org-5f3a.rsa.pub',
};
const RELEASE = { defaultUser: 'alpine' };
const system = (more: Partial<ResolvedSystem>): ReturnType<typeof alpine.system> => alpine.system({ ...SAMPLE_TEMPLATE.system, ...more }, RELEASE);

describe('repositories of apk', () => {
  test('one line for each suite and component, and the key under the name that signatures call it by', () => {
    const { files } = alpine.repositories([REPOSITORY, { ...REPOSITORY, name: 'flat', suites: ['./'] }]);
    expect(files.map(({ path, content }) => [path, content])).toEqual([
      ['/etc/apk/keys/ops@example.org-5f3a.rsa.pub', KEY],
      ['/etc/apk/repositories.d/tools.list', 'https://pkg.example.org/alpine/v3.20/main\nhttps://pkg.example.org/alpine/v3.20/community\n'],
      ['/etc/apk/keys/ops@example.org-5f3a.rsa.pub', KEY],
      ['/etc/apk/repositories.d/flat.list', 'https://pkg.example.org/alpine\n'],
    ]);
  });

  test.for([
    [{ key: '-----BEGIN PGP PUBLIC KEY BLOCK-----\n' }, 'no RSA public key'],
    [{ keyName: undefined }, 'does not say how its key is called'],
    [{ keyName: '../../etc/passwd' }, 'names that end in .rsa.pub'],
    [{ name: '../x' }, 'a name that its file cannot have'],
    [{ uri: '@tag https://x' }, 'an address, suite or component with a blank'],
  ] as const)('%o is refused', ([change, message]) => {
    const { keyName, ...rest } = { ...REPOSITORY, ...change };
    expect(() => alpine.repositories([{ ...rest, ...(keyName === undefined ? {} : { keyName }) }])).toThrow(message);
  });
});

test('indexes are read strictly before packages are chosen, and nothing asks', () => {
  expect(alpine.install(['nginx', 'curl']).map(({ argv }) => argv.join(' '))).toEqual([
    'apk --no-interactive --no-progress update',
    'apk --no-interactive --no-progress add nginx curl',
  ]);
  expect([alpine.install([]), alpine.remove([]), alpine.boot([]), alpine.labels()]).toEqual([[], [], [], []]);
  expect(alpine.update('all').at(-1)?.argv.at(-1)).toBe('upgrade');
});

test('a root is made by the architecture that apk knows, with repositories and keys in it', () => {
  const made = alpine.bootstrap?.({ root: '/mnt/new', packages: ['alpine-base'], repositories: [REPOSITORY], arch: 'arm64', version: '3.20' });
  expect(made?.files.map(({ path }) => path)).toEqual(['/mnt/new/etc/apk/keys/ops@example.org-5f3a.rsa.pub', '/mnt/new/etc/apk/repositories.d/tools.list']);
  expect(made?.commands.at(-1)?.argv.join(' ')).toBe('apk --no-interactive --no-progress --root /mnt/new --arch aarch64 add alpine-base');
});

test('what Alpine does not have is said when it is planned', () => {
  expect(() => alpine.update('security')).toThrow('does not tell security updates');
  expect(() => system({ 'automatic-updates': 'security' })).toThrow('installs updates by itself');
  expect(system({ 'automatic-updates': 'none' }).commands).toEqual([]);
  expect(alpine.snaps).toBeUndefined();
});

test('time servers replace the pool of chrony', () => {
  const { packages, files, commands } = system({ ntp: ['ntp1.example.org', 'ntp2.example.org'] });
  expect(packages).toEqual(['chrony']);
  expect(files[0]).toMatchObject({ path: '/etc/chrony/chrony.conf' });
  expect(files[0]?.content.match(/^(server|pool) .*$/gm)).toEqual(['server ntp1.example.org iburst', 'server ntp2.example.org iburst']);
  expect(commands.map(({ label }) => label)).toEqual(['chronyd enabled']);
});

test('an sshd_config that reads no drop-ins is told to', () => {
  expect(system({ sshd: { 'permit-root-login': 'no' } }).commands.map(({ label }) => label)).toEqual(['sshd', 'sshd']);
  expect(system({ sshd: {} })).toEqual(system({}));
});
