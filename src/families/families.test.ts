import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { SAMPLE_TEMPLATE } from '../../tests/support/sample-template.ts';
import { IngotError } from '../base/errors.ts';
import { hashValue } from '../base/hash.ts';
import { findRelease } from '../catalog/catalog.ts';
import { readCatalogFolder } from '../catalog/folder.ts';
import { FAMILIES, type FamilyName } from '../catalog/families.ts';
import type { Release } from '../catalog/schema.ts';
import { baseImageOf } from '../../tests/support/base-image.ts';
import { planImage } from '../plan/plan.ts';
import { sectionsOf } from '../plan/sections.ts';
import type { GuestCommand } from '../sources/bootstrap/recipe.ts';
import type { PackageRepository, ResolvedSystem, ResolvedTemplate, ResolvedUser, Subscription } from '../template/template.ts';
import type { RootFile } from '../workspace/guest-root.ts';
import { NOTHING, type Changes } from './changes.ts';
import { familyOf } from './families.ts';
import type { Family } from './family.ts';

const DEBIAN = findRelease(await readCatalogFolder(), 'debian-12');
const releaseOf = (family: FamilyName): Release => ({ ...DEBIAN, id: `${family}-1`, name: family, distribution: family, family, defaultUser: 'cloud' });

const KEY = '-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----\n';
/** Alpine's are of another kind. */
const ALPINE_KEY = '-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n-----END PUBLIC KEY-----\n';
const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDeVUwQ2wB8wZq0j7mY3m4yYfA3u0F7s0l4m1r2t3u4v me@home';
const USER: ResolvedUser = { name: 'web', comment: 'Web', uid: 1500, system: false, groups: ['wheel'], sudo: true, sshKeys: [SSH_KEY] };

/** Made for a test; its key is nowhere. */
const CA = `-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUOMTn9uSBmkmpU0o4FETyRk267AQwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIVHJpYWwgQ0EwHhcNMjYxMTIxMDgzMjM0WhcNMzYxMTE4MDgz
MjM0WjATMREwDwYDVQQDDAhUcmlhbCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABOUxSdrKnshZyRFe7TUyQyr4ToBvy2IL65jDWqfNHgRZk4a6rm+Mt8/ukADJ
6uDU6ozZ4/gY54IQAdhyvUknovGjUzBRMB0GA1UdDgQWBBQAEn2BRyyVPScpyIhd
9R872QEV9TAfBgNVHSMEGDAWgBQAEn2BRyyVPScpyIhd9R872QEV9TAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBaTL1o3hWzxqn+nLd+izIMkem5S
ZKgfkvk3UWjnchrIAiEAlNu5MUojxlJ51PP84D/r75ONNIPV3bG5KUw4b4TucPU=
-----END CERTIFICATE-----
`;

function repositoryFor({ name, traits }: Family): PackageRepository {
  const suites = traits.suites === 'none' ? [] : ['stable'];
  return {
    name: 'example',
    uri: 'https://packages.example.org/it',
    suites,
    components: suites.length === 0 ? [] : ['main'],
    ...(name === 'alpine' ? { key: ALPINE_KEY, keyName: 'packager@example.org-1a2b3c.rsa.pub' } : { key: KEY }),
  };
}

function systemFor({ traits }: Family): ResolvedSystem {
  return {
    ...SAMPLE_TEMPLATE.system,
    hostname: 'web.example.org',
    timezone: 'Europe/Zurich',
    locale: 'de_CH.UTF-8',
    keymap: 'ch',
    sshd: { port: 2222, 'password-authentication': false, 'permit-root-login': 'no', 'allow-users': ['web'] },
    'kernel-arguments': ['quiet'],
    sysctl: { 'net.ipv4.ip_forward': 1 },
    ntp: ['ntp.example.org'],
    trustedCa: [CA],
    proxy: { http: 'http://proxy.example.org:3128', 'no-proxy': ['localhost', '.example.org'] },
    firewall: { open: ['80/tcp', '53/udp'] },
    ...(traits.selinux ? { selinux: 'permissive' } : {}),
  };
}

/** Not every family has everything: then what it says is the refusal. */
function orRefusal(work: () => Changes): Changes {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    return { ...NOTHING, packages: [`refused: ${error.message}`] };
  }
}

/** How a family with a vendor registers, with everything that it can be told. */
function registrationOf(family: Family): Record<string, { files: readonly RootFile[]; commands: readonly GuestCommand[] }> {
  const own = { server: 'https://own.example.org', ca: CA, secret: 'vendor-key' };
  const subscription: Subscription =
    family.name === 'suse'
      ? { vendor: 'sles', ...own, email: 'me@example.org', modules: ['sle-module-containers'] }
      : { vendor: 'rhel', ...own, organization: '1234567', repositories: ['extra'] };
  const made = family.registration?.(subscription);
  if (made === undefined) return {};
  const { files, register, identify, unregister, clean, check } = made;
  return { registration: { files, commands: [register, identify, unregister, clean, check] } };
}

/** All that a family says, by what it is asked. */
function everything(family: Family): Record<string, Changes | readonly GuestCommand[] | { files: readonly RootFile[]; commands: readonly GuestCommand[] }> {
  const release = { defaultUser: 'cloud' };
  const only = (more: Partial<ResolvedSystem>): Changes => family.system({ ...SAMPLE_TEMPLATE.system, ...more }, release);
  return {
    install: family.install(['nginx', 'curl=8.5']),
    remove: family.remove(['nginx']),
    'update all': family.update('all'),
    ...(family.traits.securityUpdates ? { 'update security': family.update('security') } : {}),
    ...(family.enable === undefined ? {} : { enable: family.enable(['extra']) }),
    repositories: family.repositories([repositoryFor(family)]),
    'service enabled': family.services('nginx', 'enabled'),
    users: family.users([USER], release),
    'system account': family.users([{ ...USER, name: 'job', system: true, sudo: false, sshKeys: [] }], release),
    system: family.system(systemFor(family), release),
    'no automatic updates': only({ 'automatic-updates': 'none' }),
    'automatic updates': orRefusal(() => only({ 'automatic-updates': 'all' })),
    ...(family.traits.securityUpdates ? { 'automatic security updates': orRefusal(() => only({ 'automatic-updates': 'security' })) } : {}),
    network: family.network({ ethernets: { eth0: { dhcp4: true } } }),
    ports: family.openPorts('web', ['443/tcp', '80/tcp']),
    modules: family.modules('web', ['overlay', 'br_netfilter']),
    sysctl: family.sysctl('web', { 'vm.max_map_count': 262_144 }),
    boot: family.boot(['quiet', 'a=b']),
    labels: family.labels(),
    ...registrationOf(family),
    'before the seal': family.seal.commands,
    quiet: { files: family.quiet, commands: [] },
    ...(family.bootstrap === undefined
      ? {}
      : { bootstrap: family.bootstrap({ root: '/target', packages: ['base'], repositories: [repositoryFor(family)], arch: 'amd64', version: '9' }) }),
  };
}

const isScript = ({ argv }: GuestCommand): boolean => ['sh', '/bin/sh'].includes(argv[0]) && argv[1] === '-ec';

/** As text: scripts are told by their hash where they are called, and once in full. */
function textOf(family: Family): string {
  const scripts = new Map<string, string>();
  const command = (each: GuestCommand): string => {
    if (!isScript(each)) return `  ${each.label}: ${JSON.stringify(each.argv)}`;
    const [, , script = '', , ...words] = each.argv;
    const name = hashValue(script).slice(7, 15);
    scripts.set(name, script);
    return `  ${each.label}: script ${name} ${JSON.stringify(words)}`;
  };
  const file = ({ path, mode, owner, content }: RootFile): string =>
    `  ${path} ${mode}${owner === undefined ? '' : ` ${owner}`}\n${content.replaceAll(/^/gm, '    | ').replace(/ {4}\| $/, '')}`;
  const parts = Object.entries(everything(family)).map(([name, said]) => {
    const { files, commands } = 'commands' in said ? said : { files: [], commands: said };
    const more = 'packages' in said ? [`  packages: ${said.packages.join(' ')}`, `  kernel arguments: ${said.kernelArguments.join(' ')}`] : [];
    return [`# ${name}`, ...more, ...files.map(file), ...commands.map(command)].map((line) => line.trimEnd()).join('\n');
  });
  const seal = Object.entries({ layer: family.seal.layer, booted: family.seal.booted }).map(
    ([name, value]) => `# seal: ${name}\n${JSON.stringify(value, undefined, 1)}`,
  );
  return `${[...parts, ...seal, ...[...scripts].map(([name, script]) => `# script ${name}\n${script.trimEnd()}`)].join('\n\n')}\n`;
}

describe.each(FAMILIES)('the family %s', (name) => {
  const family = familyOf(name);

  test('says what it said', async () => {
    await expect(textOf(family)).toMatchFileSnapshot(`../../tests/golden/families/${name}.txt`);
  });

  test('has scripts that a shell can read, and that hold nothing of the template', () => {
    const word = 'x-word-of-the-template-x';
    const changes = [
      family.users([{ ...USER, name: 'web', comment: word, home: `/${word}` }], { defaultUser: 'cloud' }),
      family.services(word, 'enabled'),
      family.system({ ...systemFor(family), timezone: word, locale: word, keymap: word }, { defaultUser: 'cloud' }),
    ];
    const commands = [...changes.flatMap((each) => each.commands), ...family.install([word]), ...family.boot([word]), ...family.remove([word])];
    for (const { argv } of commands.filter(isScript)) expect(argv[2]).not.toContain(word);
    const words = Object.values(everything(family)).flatMap((said) => ('commands' in said ? said.commands : said));
    for (const script of new Set(words.filter(isScript).map(({ argv }) => argv[2]))) execFileSync('sh', ['-n'], { input: script });
  });

  test('does nothing where nothing is asked for', () => {
    expect([
      family.install([]),
      family.remove([]),
      family.repositories([]).files,
      family.openPorts('web', []).commands,
      family.modules('web', []).files,
    ]).toEqual([[], [], [], [], []]);
    expect(family.system(SAMPLE_TEMPLATE.system, { defaultUser: 'cloud' })).toEqual({ packages: [], files: [], commands: [], kernelArguments: [] });
  });

  test('refuses what is no port, and no module', () => {
    for (const port of ['80', '0/tcp', '70000/tcp', '80/sctp', '80/tcp; x']) expect(() => family.openPorts('web', [port])).toThrow('is no port');
    expect(() => family.modules('web', ['a b'])).toThrow('no name of a kernel module');
  });

  test('plans all layers of a template on an image of its own', () => {
    const release = releaseOf(name);
    const template: ResolvedTemplate = {
      ...SAMPLE_TEMPLATE,
      update: 'all',
      packages: ['nginx'],
      users: [USER],
      system: { ...systemFor(family), repositories: [repositoryFor(family)] },
      network: { ethernets: { eth0: { dhcp4: true } } },
      steps: [
        { kind: 'file', label: '/etc/motd', path: '/etc/motd', content: 'hello\n', owner: 'root:root', mode: '0644' },
        { kind: 'service', label: 'nginx', service: 'nginx', state: 'enabled' },
      ],
    };
    const sections = sectionsOf(template, release);
    expect(sections.map(({ kind }) => kind)).toEqual(['repositories', 'update', 'packages', 'users', 'system', 'network', 'file', 'service']);
    if (family.planned !== undefined) return;
    const plan = planImage(template, release, baseImageOf(release), sections, { packages: [], resolutions: [], indexes: {}, expiredMetadata: false });
    const packages = plan.layers.find((layer) => layer.kind === 'packages');
    expect(packages?.recipe).toMatchObject({ online: family.install(['nginx']) });
    const last = packages !== undefined && 'last' in packages.recipe ? packages.recipe.last : [];
    expect(last).toEqual([...family.boot([]), ...family.labels(), ...family.seal.commands]);
    expect(packages?.maxAge).toBeGreaterThan(0);
    expect(plan.layers.find((layer) => layer.kind === 'update')?.recipe).toMatchObject({ online: family.update('all') });
    expect(() => planImage(template, release, undefined, sections, { packages: [], resolutions: [], indexes: {}, expiredMetadata: false })).toThrow(
      'makes no base image',
    );
  });
});

test('a family that nobody made is told with those that are there', () => {
  expect(() => familyOf('slackware')).toThrow(expect.objectContaining({ code: 'family-unknown', hint: expect.stringContaining('debian') }));
});
