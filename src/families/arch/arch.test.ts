import { expect, test } from 'vitest';
import { SAMPLE_TEMPLATE } from '../../../tests/support/sample-template.ts';
import type { PackageRepository, ResolvedSystem } from '../../template/template.ts';
import type { Changes } from '../changes.ts';
import { arch } from './family.ts';

const REPOSITORY: PackageRepository = {
  name: 'tools',
  uri: 'https://pkg.example.org/$repo/$arch/',
  suites: [],
  components: [],
  key: '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n',
};
const system = (more: Partial<ResolvedSystem>): Changes => arch.system({ ...SAMPLE_TEMPLATE.system, ...more }, { defaultUser: 'arch' });

test('a repository is a section whose packages and database have to be signed, and its key waits for the keyring of each machine', () => {
  const { files, commands } = arch.repositories([REPOSITORY]);
  expect(files.map(({ path, content }) => [path, content])).toEqual([
    ['/etc/pacman.d/ingot-keys/tools.asc', REPOSITORY.key],
    ['/etc/pacman.conf.d/tools.conf', '[tools]\nSigLevel = Required TrustedOnly\nServer = https://pkg.example.org/$repo/$arch\n'],
  ]);
  expect(commands.map(({ label }) => label)).toEqual(['repositories']);
  expect(arch.repositories([]).commands).toEqual([]);
});

test.for([
  [{ key: 'hello' }, 'no armored OpenPGP public key'],
  [{ name: 'options' }, 'a name that no database can have'],
  [{ name: 'a/b' }, 'a name that no database can have'],
  [{ uri: 'https://x\nSigLevel = Never' }, 'an address with a blank'],
] as const)('%o is refused', ([change, message]) => {
  expect(() => arch.repositories([{ ...REPOSITORY, ...change }])).toThrow(message);
});

test('packages come with an update of everything, after modules and keyring', () => {
  expect(arch.install(['nginx']).map(({ label }) => label)).toEqual(['modules of the initramfs', 'keyring', 'install']);
  expect(arch.install(['nginx']).at(-1)?.argv.join(' ')).toBe('pacman --noconfirm --noprogressbar -Syu --needed nginx');
  expect([arch.install([]), arch.remove([]), arch.boot([])]).toEqual([[], [], []]);
});

test('a root is made with a configuration, a keyring and a database of its own', () => {
  const made = arch.bootstrap?.({ root: '/mnt/new', packages: ['base', 'linux'], repositories: [REPOSITORY], arch: 'amd64', version: 'rolling' });
  expect(made?.files.map(({ path }) => path)).toEqual([
    '/etc/ingot-bootstrap.conf',
    '/mnt/new/etc/pacman.d/ingot-keys/tools.asc',
    '/mnt/new/etc/pacman.conf.d/tools.conf',
  ]);
  expect(made?.files[0]?.content).toMatch(/^\[options\]\nArchitecture = x86_64\nSigLevel = Required\n\n\[tools\]\n/);
  expect(made?.commands[1]?.argv.join(' ')).toBe(
    'pacman --noconfirm --noprogressbar --config /etc/ingot-bootstrap.conf --root /mnt/new --dbpath /mnt/new/var/lib/pacman --cachedir /mnt/new/var/cache/pacman/pkg --gpgdir /mnt/new/etc/pacman.d/gnupg -Sy base linux',
  );
});

test('no layer keeps the secret key of its keyring', () => {
  expect(arch.seal.layer.remove).toContain('etc/pacman.d/gnupg');
  expect(arch.seal.booted.remove).toEqual(expect.arrayContaining([...arch.seal.layer.remove]));
  expect(arch.seal.commands.map(({ label }) => label)).toEqual(['keyring at the first boot']);
});

test('what Arch does not have is said when it is planned', () => {
  expect(() => arch.update('security')).toThrow('does not tell security updates');
  expect(() => system({ 'automatic-updates': 'all' })).toThrow('installs updates by itself');
  expect(arch.snaps).toBeUndefined();
});

test('locales that the C library brings are not generated', () => {
  expect(system({ locale: 'C.UTF-8' })).toMatchObject({ packages: [], commands: [], files: [{ path: '/etc/locale.conf', content: 'LANG=C.UTF-8\n' }] });
  expect(system({ locale: 'de_CH.UTF-8', timezone: 'Europe/Zurich' }).commands.map(({ label }) => label)).toEqual(['time zone', 'locale']);
});
