import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { findRelease } from '../../catalog/catalog.ts';
import { readCatalogFolder } from '../../catalog/folder.ts';
import type { ResolvedSystem, ResolvedUser } from '../../template/template.ts';
import type { TemplateNetwork } from '../../template/network-schema.ts';
import type { Changes } from '../changes.ts';
import { networkChanges } from '../common/cloud-network.ts';
import { serviceChanges } from '../common/systemd.ts';
import { usersChanges as changesOfUsers } from '../common/users.ts';
import { repositoryChanges } from './repositories.ts';
import { systemChanges } from './system.ts';

const RELEASE = findRelease(await readCatalogFolder(), 'debian-12');
const NOTHING: ResolvedSystem = { 'kernel-arguments': [], sysctl: {}, ntp: [], trustedCa: [], repositories: [] };
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDeVUwQ2wB8wZq0j7mY3m4yYfA3u0F7s0l4m1r2t3u4v me@home';

const usersChanges = (users: readonly ResolvedUser[]): Changes => changesOfUsers(users, RELEASE);
const system = (more: Partial<ResolvedSystem>): Changes => systemChanges({ ...NOTHING, ...more }, RELEASE);
const user = (more: Partial<ResolvedUser> = {}): ResolvedUser => ({ name: 'web', system: false, groups: [], sudo: false, sshKeys: [], ...more });
const contentOf = ({ files }: Changes, path: string): string | undefined => files.find((file) => file.path === path)?.content;

/** What a shell script's arguments are, as the shell sees them. */
const wordsOf = ({ commands }: Changes): string[] => commands.flatMap(({ argv }) => argv.slice(4));

test('nothing asked for is nothing done', () => {
  const nothing = { packages: [], files: [], commands: [], kernelArguments: [] };
  expect(system({})).toEqual(nothing);
  expect(system({ hostname: 'platform' })).toEqual(nothing);
  expect(usersChanges([])).toEqual(nothing);
});

test('every script can be read by a shell, and holds nothing of the template', () => {
  const word = 'x-word-of-the-template-x';
  const changes = [
    usersChanges([user({ comment: word, home: `/${word}`, passwordHash: { secret: word, fingerprint: word } })]),
    system({ timezone: word, locale: word, keymap: word, proxy: { http: `http://${word}:1/`, 'no-proxy': [] }, sshd: { port: 1 } }),
    serviceChanges(word, 'enabled'),
  ];
  const scripts = changes.flatMap(({ commands }) => commands.flatMap(({ argv }) => (argv[0] === 'sh' ? [argv[2] ?? ''] : [])));
  expect(scripts.length).toBeGreaterThan(6);
  for (const script of scripts) {
    expect(script).not.toContain(word);
    execFileSync('sh', ['-n'], { input: script });
  }
});

test('a plan holds the name of a password and never more', () => {
  const use = { secret: 'web-password', fingerprint: 'sha256:f' };
  const commands = usersChanges([user({ passwordHash: use })]).commands.filter((command) => command.secretStdin !== undefined);
  expect(commands.map((command) => command.secretStdin)).toEqual([use]);
});

test('comments, groups and keys reach useradd as words, whatever they hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (comment) => {
      const make = (): Changes => usersChanges([user({ comment })]);
      if (/[:\p{Cc}]/u.test(comment)) expect(make).toThrow('colon or a control character');
      else expect(wordsOf(make())).toContain(comment);
    }),
  );
});

test('cloud-init does not lock the password that a template gives its default user', () => {
  const path = '/etc/cloud/cloud.cfg.d/90-ingot-default-user.cfg';
  const use = { secret: 's', fingerprint: 'f' };
  expect(parse(contentOf(usersChanges([user({ name: 'debian', passwordHash: use })]), path) ?? '')).toEqual({
    system_info: { default_user: { lock_passwd: false } },
  });
  expect(contentOf(usersChanges([user({ passwordHash: use })]), path)).toBeUndefined();
});

test('sudo rules are one line, as the only one in their file', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (rule) => {
      const make = (): Changes => usersChanges([user({ sudo: rule })]);
      if (/\p{Cc}|\\$/u.test(rule)) expect(make).toThrow('more than one line');
      else expect(contentOf(make(), '/etc/sudoers.d/90-ingot-web')).toBe(`web ${rule}\n`);
    }),
  );
  expect(contentOf(usersChanges([user({ sudo: true })]), '/etc/sudoers.d/90-ingot-web')).toBe('web ALL=(ALL:ALL) NOPASSWD: ALL\n');
  expect(usersChanges([user({ sudo: true })]).packages).toEqual(['sudo']);
});

test('SSH keys: a text may hold several and comments; what is no public key is refused', () => {
  const options = `command="echo hi there",no-pty ${KEY}`;
  expect(wordsOf(usersChanges([user({ sshKeys: [`# mine\n${KEY}\n\n${options}\n`, KEY] })]))).toContain(`${KEY}\n${options}\n`);
  for (const bad of ['-----BEGIN OPENSSH PRIVATE KEY-----', 'hello', 'ssh-ed25519', 'ssh-ed25519 no*base64']) {
    expect(() => usersChanges([user({ sshKeys: [bad] })])).toThrow('is no public key');
  }
  expect(() => usersChanges([user({ system: true, sshKeys: [KEY] })])).toThrow('without a home');
});

test('network: cloud-init reads back what the template says', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '.', '-', '_'), minLength: 1, maxLength: 8 });
  const network = fc.record({
    ethernets: fc.dictionary(
      name,
      fc.record({ dhcp4: fc.boolean(), match: fc.record({ name: fc.string() }), nameservers: fc.record({ search: fc.array(fc.string()) }) }),
    ),
    vlans: fc.dictionary(name, fc.record({ id: fc.integer({ min: 0, max: 4094 }), link: name, addresses: fc.array(fc.constant('192.0.2.1/24')) })),
  });
  fc.assert(
    fc.property(network, (value: TemplateNetwork) => {
      const content = contentOf(networkChanges(value), '/etc/cloud/cloud.cfg.d/90-ingot-network.cfg') ?? '';
      expect(parse(content)).toEqual(JSON.parse(JSON.stringify({ network: { version: 2, ...value } })));
    }),
  );
});

test('a fixed host name is told to cloud-init too', () => {
  const changes = system({ hostname: 'web.example.org' });
  expect(contentOf(changes, '/etc/hostname')).toBe('web.example.org\n');
  expect(contentOf(changes, '/etc/hosts')).toContain('127.0.1.1 web.example.org web\n');
  expect(parse(contentOf(changes, '/etc/cloud/cloud.cfg.d/90-ingot-hostname.cfg') ?? '')).toEqual({
    preserve_hostname: true,
    hostname: 'web',
    fqdn: 'web.example.org',
  });
  for (const bad of ['a b', '-a', 'a\nb', '', 'a..b']) expect(() => system({ hostname: bad })).toThrow('host name');
});

test('sshd: what is said and no more; the default user stays allowed', () => {
  const path = '/etc/ssh/sshd_config.d/40-ingot-template.conf';
  expect(contentOf(system({ sshd: { port: 2222, 'permit-root-login': 'no' } }), path)).toBe('Port 2222\nPermitRootLogin no\n');
  expect(contentOf(system({ sshd: { 'allow-users': ['web', '*@10.0.0.1'] } }), path)).toBe('AllowUsers debian web *@10.0.0.1\n');
  expect(contentOf(system({ sshd: { 'password-authentication': true } }), path)).toBe('PasswordAuthentication yes\nKbdInteractiveAuthentication yes\n');
  for (const bad of ['a"b', 'a#b', 'a\\b']) expect(() => system({ sshd: { 'allow-users': [bad] } })).toThrow('no pattern');
});

test('kernel parameters and arguments', () => {
  expect(contentOf(system({ sysctl: { 'net.ipv4.ip_forward': 1, 'kernel.core_pattern': '|/bin/x %p' } }), '/etc/sysctl.d/90-ingot.conf')).toBe(
    'net.ipv4.ip_forward = 1\nkernel.core_pattern = |/bin/x %p\n',
  );
  expect(() => system({ sysctl: { a: 'x\rb' } })).toThrow('control character');
  expect(system({ 'kernel-arguments': ['quiet', 'a=b'] }).kernelArguments).toEqual(['quiet', 'a=b']);
});

test('locales that the C library brings need no package', () => {
  expect(system({ locale: 'C.UTF-8' })).toMatchObject({ packages: [], commands: [] });
  expect(system({ locale: 'de_CH.UTF-8' }).packages).toEqual(['locales']);
});

test('automatic updates: security, all, none', () => {
  const path = '/etc/apt/apt.conf.d/60ingot-automatic-updates';
  expect(contentOf(system({ 'automatic-updates': 'security' }), path)).toContain('label=Debian-Security');
  expect(contentOf(system({ 'automatic-updates': 'all' }), path)).toContain('"origin=*"');
  const none = system({ 'automatic-updates': 'none' });
  expect(none.packages).toEqual([]);
  expect(contentOf(none, path)).toContain('Unattended-Upgrade "0"');
  expect(none.commands[0]?.argv.slice(0, 2)).toEqual(['systemctl', 'disable']);
});

test('proxies: no address or exception can add a line of its own', () => {
  const proxied = (http: string, exceptions: string[] = []): Changes => system({ proxy: { http, 'no-proxy': exceptions } });
  const unit = '/etc/systemd/system.conf.d/50-ingot-proxy.conf';
  expect(contentOf(proxied('http://u%25:p@proxy:3128'), unit)).toContain('DefaultEnvironment="http_proxy=http://u%%25:p@proxy:3128"\n');
  expect(contentOf(proxied('http://proxy', ['localhost', '.example.org']), '/etc/apt/apt.conf.d/60ingot-proxy')).toBe(
    'Acquire::http::Proxy "http://proxy";\nAcquire::http::Proxy::localhost "DIRECT";\n',
  );
  for (const bad of ['a b', 'a\nb', 'a"b', "a'b", 'a;b']) expect(() => proxied('http://proxy', [bad])).toThrow('no-proxy');
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a:@/?#[]%"\'\\ \n\t$`;&=') }), (more) => {
      try {
        const lines =
          contentOf(proxied(`http://proxy${more}`), unit)
            ?.trimEnd()
            .split('\n') ?? [];
        for (const line of lines.slice(1)) expect(line).toMatch(/^DefaultEnvironment="[^"\\\s]+"$/);
      } catch (error) {
        expect(String(error)).toMatch(/Invalid URL|%xx|of a kind/);
      }
    }),
  );
});

test('a certificate has to be one, and each gets a file of its own', () => {
  expect(() => system({ trustedCa: ['hello'] })).toThrow('Entry 1 of trusted-ca is no certificate');
  expect(() => system({ trustedCa: ['-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----'] })).toThrow('no certificate');
  const changes = system({ trustedCa: [`${CA}\n${CA}`, CA] });
  expect(changes.files.map((file) => file.path)).toEqual([expect.stringMatching(/^\/usr\/local\/share\/ca-certificates\/ingot-[0-9a-f]{12}\.crt$/)]);
  expect(changes.commands.map((command) => command.argv)).toEqual([['update-ca-certificates']]);
});

test('package repositories: deb822 with a key of their own', () => {
  const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----\n';
  const one = { name: 'example', uri: 'https://packages.example.org/debian', suites: ['stable'], components: ['main', 'extra'], key };
  const read = (text: string | undefined): Record<string, string> =>
    Object.fromEntries(
      (text ?? '').split('\n').flatMap((line) => (line.includes(': ') ? [[line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]] : [])),
    );
  const [keyFile, sources] = repositoryChanges([one]).files;
  expect(keyFile).toMatchObject({ path: '/etc/apt/keyrings/example.asc', content: key });
  expect(sources?.path).toBe('/etc/apt/sources.list.d/example.sources');
  expect(read(sources?.content)).toEqual({
    Types: 'deb',
    URIs: one.uri,
    Suites: 'stable',
    Components: 'main extra',
    'Signed-By': '/etc/apt/keyrings/example.asc',
  });
  expect(read(repositoryChanges([{ ...one, suites: ['./'] }]).files[1]?.content)).not.toHaveProperty('Components');
  expect(() => repositoryChanges([{ ...one, key: 'binary' }])).toThrow('no armored');
  expect(() => repositoryChanges([{ ...one, name: 'debian' }])).toThrow('name');
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', minLength: 1 }), (suite) => {
      try {
        expect(read(repositoryChanges([{ ...one, suites: [suite] }]).files[1]?.content).Suites).toBe(suite);
      } catch (error) {
        expect(/^[\x21-\x7e]+$/.test(suite)).toBe(false);
        expect(String(error)).toContain('special character');
      }
    }),
  );
});

/** Made for this test; its key is nowhere. */
const CA = `-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUOMTn9uSBmkmpU0o4FETyRk267AQwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIVHJpYWwgQ0EwHhcNMjYxMTIxMDgzMjM0WhcNMzYxMTE4MDgz
MjM0WjATMREwDwYDVQQDDAhUcmlhbCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABOUxSdrKnshZyRFe7TUyQyr4ToBvy2IL65jDWqfNHgRZk4a6rm+Mt8/ukADJ
6uDU6ozZ4/gY54IQAdhyvUknovGjUzBRMB0GA1UdDgQWBBQAEn2BRyyVPScpyIhd
9R872QEV9TAfBgNVHSMEGDAWgBQAEn2BRyyVPScpyIhd9R872QEV9TAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBaTL1o3hWzxqn+nLd+izIMkem5S
ZKgfkvk3UWjnchrIAiEAlNu5MUojxlJ51PP84D/r75ONNIPV3bG5KUw4b4TucPU=
-----END CERTIFICATE-----`;
