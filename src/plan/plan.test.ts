import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostPath, parseName } from '../base/types.ts';
import { baseImageOf } from '../../tests/support/base-image.ts';
import { SAMPLE_TEMPLATE } from '../../tests/support/sample-template.ts';
import { archiveOf, findRelease, releases } from '../catalog/catalog.ts';
import { readCatalogFolder } from '../catalog/folder.ts';
import { basePackages } from '../families/debian/packages.ts';
import type { ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { FileTree, ResolvedRole, ResolvedStep, ResolvedTemplate, Subscription, TreeEntry } from '../template/template.ts';
import { imageConfig, planImage, type Plan } from './plan.ts';
import { sectionsOf, wantedBy } from './sections.ts';

const catalog = await readCatalogFolder();

/** A made-up resolution: every wanted package in one version. */
function resolved(names: readonly string[], arch: string): ResolvedPackage[] {
  return names.map((name) => ({
    name,
    version: '1.0-1',
    arch,
    sha256: createHash('sha256').update(`${name}/${arch}`).digest('hex'),
    size: 1000,
    path: `pool/main/${name}_1.0-1_${arch}.deb`,
    archive: 'archive',
    essential: name === 'base-files',
  }));
}

/** A template's plan; every package of its layers resolves to one of that name, in version 1.0-1, and nothing else. */
function planOf(
  changes: Partial<ResolvedTemplate> = {},
  change: (packages: ResolvedPackage[]) => ResolvedPackage[] = (packages) => packages,
  indexes: Record<string, string> = { bookworm: 'a'.repeat(64) },
): Plan {
  const template: ResolvedTemplate = { ...SAMPLE_TEMPLATE, ...changes };
  const release = findRelease(catalog, template.base.kind === 'release' ? template.base.release : 'debian-12');
  const names = basePackages(release, { ...template.disk, arch: template.arch, kernel: template.kernel });
  const sections = sectionsOf(template, release);
  const resolutions = sections.map((section) => {
    const wanted = section.kind !== 'step' && section.update !== undefined ? ['openssl'] : wantedBy(section);
    return wanted.length === 0 ? undefined : { packages: change(resolved(wanted, template.arch)), removed: [] };
  });
  return planImage(template, release, undefined, sections, {
    packages: change(resolved(['base-files', ...names], template.arch)),
    resolutions,
    indexes,
    expiredMetadata: false,
  });
}

const keyOf = (plan: Plan): string => plan.layers.map((layer) => layer.key).join(' ');

// One line for each template: a change shows what it would rebuild.
test('the keys of a spread of templates are as they were', async () => {
  const fromPackages = releases(catalog).filter(({ bootstrap }) => bootstrap !== undefined);
  const spread = fromPackages.flatMap(({ id }) =>
    (['amd64', 'arm64'] as const).flatMap((arch) =>
      (['ext4', 'xfs', 'btrfs'] as const).flatMap((filesystem) =>
        (['cloud', 'generic'] as const).map((kernel) => {
          const plan = planOf({ base: { kind: 'release', release: id }, arch, kernel, disk: { size: 4 * 2 ** 30, filesystem } });
          return `${id} ${arch} ${filesystem} ${kernel}: ${keyOf(plan)}`;
        }),
      ),
    ),
  );
  await expect(`${spread.join('\n')}\n`).toMatchFileSnapshot('../../tests/golden/keys.txt');
});

const PROGRAM = { env: {}, secrets: {}, network: false, maxAge: 604_800, booted: false, timeout: 1800 };
const RUN: Extract<ResolvedStep, { kind: 'run' }> = { kind: 'run', label: 'run', shell: 'sh', script: 'echo hello >/etc/hello\n', ...PROGRAM };
const TREE: FileTree = {
  root: hostPath('/anywhere/site'),
  single: false,
  entries: [
    { type: 'folder', path: '', mode: 0o755 },
    { type: 'file', path: 'index.html', mode: 0o644, size: 5, sha256: 'b'.repeat(64) },
    { type: 'link', path: 'latest', target: 'index.html' },
  ],
};
const COPY: Extract<ResolvedStep, { kind: 'copy' }> = { kind: 'copy', label: 'copy', tree: TREE, to: '/var/www', owner: 'root:root' };

const ROLE: ResolvedRole = {
  name: 'docker',
  version: '1',
  content: {
    ...{ repositories: [], sysctl: {}, run: [], kernelArguments: [], tests: [], downloads: [], ports: [] },
    packages: ['docker.io'],
    files: [{ path: '/etc/docker/daemon.json', content: '{}\n', mode: '0644' }],
    modules: ['overlay'],
    services: [{ name: 'docker', state: 'enabled' }],
  },
};

/** One template for each kind of layer, and a few that have several. */
const SPREAD: Readonly<Record<string, Partial<ResolvedTemplate>>> = {
  role: { roles: [ROLE] },
  packages: { packages: ['nginx', 'curl'] },
  snaps: { snaps: [{ name: 'lxd', channel: '5.21/stable', classic: false }] },
  'update and packages': { update: 'all', packages: ['nginx'] },
  'role and packages': { roles: [ROLE], packages: ['nginx'] },
  users: { users: [{ name: 'deploy', groups: ['docker'], sudo: true, system: false, sshKeys: ['ssh-ed25519 AAAA deploy'] }] },
  system: { system: { ...SAMPLE_TEMPLATE.system, timezone: 'Europe/Zurich', sysctl: { 'net.ipv4.ip_forward': 1 }, 'kernel-arguments': ['quiet'] } },
  network: { network: { ethernets: { eth0: { addresses: ['192.0.2.10/24'] } } } },
  run: { steps: [RUN] },
  'run with everything': {
    steps: [{ ...RUN, env: { A: '1' }, secrets: { TOKEN: { secret: 'token', fingerprint: 'c'.repeat(64) } }, network: true, booted: true }],
  },
  script: { steps: [{ kind: 'script', label: 'script', fileName: 'setup.sh', content: 'IyEvYmluL3NoCg==', arguments: ['a'], ...PROGRAM }] },
  copy: { steps: [COPY] },
  file: { steps: [{ kind: 'file', label: '/etc/motd', path: '/etc/motd', content: 'hello\n', owner: 'root:root', mode: '0644' }] },
  service: { steps: [{ kind: 'service', label: 'ssh', service: 'ssh', state: 'disabled' }] },
  ansible: { steps: [{ kind: 'ansible', label: 'site.yml', tree: TREE, playbook: 'site.yml', variables: { a: 1 }, ...PROGRAM }] },
  'run on copy': { steps: [COPY, RUN] },
};

test('the keys of layers above the base are as they were', async () => {
  const lines = Object.entries(SPREAD).flatMap(([name, changes]) =>
    planOf(changes)
      .layers.slice(1)
      .map((layer) => `${name}: ${layer.kind} ${layer.key}`),
  );
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('../../tests/golden/layer-keys.txt');
});

test('Ubuntu Pro is a layer above all packages which grows old, and whose key knows the token by its fingerprint', () => {
  const debian = findRelease(catalog, 'debian-12');
  const release = { ...debian, id: 'ubuntu-24.04', distribution: 'ubuntu' };
  const layersOf = (fingerprint: string): Plan['layers'] => {
    const ubuntuPro = { token: { secret: 'pro-token', fingerprint }, services: ['esm-infra', 'esm-apps'] };
    const template: ResolvedTemplate = { ...SAMPLE_TEMPLATE, packages: ['nginx'], system: { ...SAMPLE_TEMPLATE.system, ubuntuPro } };
    const sections = sectionsOf(template, release);
    const resolutions = sections.map((section) => ({ packages: resolved(wantedBy(section), 'amd64'), removed: [] }));
    const indexes = { noble: 'a'.repeat(64) };
    return planImage(template, release, undefined, sections, { packages: resolved(['base-files'], 'amd64'), resolutions, indexes, expiredMetadata: false })
      .layers;
  };
  const layers = layersOf('b'.repeat(64));
  expect(layers.map(({ name }) => name)).toEqual(['bootstrap', 'packages', 'ubuntu-pro']);
  expect(layers[2]).toMatchObject({ maxAge: 604_800, inputs: { network: expect.any(String) } });
  expect(layers[1]?.maxAge).toBeUndefined();
  expect(layersOf('c'.repeat(64))[2]?.key).not.toBe(layers[2]?.key);
  expect(JSON.stringify(layers[2])).not.toContain('C1');
});

test('layers that fetch packages are registered, and only what a subscription lets one have is in their keys', () => {
  const release = { ...findRelease(catalog, 'rhel-9') };
  const layersOf = (subscription: Subscription | undefined): Plan['layers'] => {
    const steps: ResolvedStep[] = [{ kind: 'file', label: '/etc/motd', path: '/etc/motd', content: 'hello\n', owner: 'root:root', mode: '0644' }];
    const template: ResolvedTemplate = { ...SAMPLE_TEMPLATE, packages: ['nginx'], steps, ...(subscription === undefined ? {} : { subscription }) };
    const sections = sectionsOf(template, release);
    return planImage(template, release, baseImageOf(release), sections, { packages: [], resolutions: [], indexes: {}, expiredMetadata: false }).layers;
  };
  const rhel: Subscription = { vendor: 'rhel', organization: '1', secret: 'vendor-key', repositories: ['crb'] };
  const [packages, file] = layersOf(rhel);
  expect(packages).toMatchObject({ recipe: { registration: { vendor: 'Red Hat' } }, inputs: { subscription: expect.any(String) } });
  expect(file?.recipe).not.toHaveProperty('registration');
  const keyFor = (subscription: Subscription | undefined): string | undefined => layersOf(subscription)[0]?.key;
  const changed: Subscription[] = [
    { ...rhel, organization: '2' },
    { ...rhel, secret: 'other-key' },
    { ...rhel, repositories: [] },
    { ...rhel, server: 'https://sat.example.org' },
  ];
  const keys = [undefined, rhel, ...changed].map(keyFor);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keyFor({ ...rhel, server: 'https://sat.example.org', ca: 'x' })).toBe(keyFor({ ...rhel, server: 'https://sat.example.org' }));
});

test('without a subscription, what is in the image already is not fetched, and what is not is told', () => {
  const release = { ...findRelease(catalog, 'rhel-9') };
  const users: ResolvedTemplate['users'] = [{ name: 'web', system: false, groups: [], sudo: true, sshKeys: [] }];
  const base = baseImageOf(release);
  const having = (packages: { name: string; version: string; arch: string }[]): typeof base => ({
    ...base,
    layers: base.layers.map((each) => ({ ...each, packages })),
  });
  const sections = sectionsOf({ ...SAMPLE_TEMPLATE, users }, release, having([{ name: 'sudo', version: '1', arch: 'x86_64' }]));
  expect(sections).toMatchObject([{ name: 'users', changes: { packages: [] } }]);
  expect(() => sectionsOf({ ...SAMPLE_TEMPLATE, users }, release, having([]))).toThrow(
    expect.objectContaining({ code: 'subscription-missing', message: expect.stringContaining('users needs sudo') }),
  );
});

test('where everything is up to date there is no layer for updates, and those above are as they were without it', () => {
  const release = findRelease(catalog, 'debian-12');
  const layersOf = (update: ResolvedTemplate['update']): [string, string][] => {
    const template: ResolvedTemplate = { ...SAMPLE_TEMPLATE, update, packages: ['nginx'] };
    const sections = sectionsOf(template, release);
    const resolutions = sections.map((section) => ({ packages: resolved(section.kind === 'update' ? [] : ['nginx'], 'amd64'), removed: [] }));
    const plan = planImage(template, release, undefined, sections, {
      packages: resolved(['base-files'], 'amd64'),
      resolutions,
      indexes: {},
      expiredMetadata: false,
    });
    return plan.layers.map(({ name, key }) => [name, key]);
  };
  expect(layersOf('all')).toEqual(layersOf('none'));
  expect(layersOf('all').map(([name]) => name)).toEqual(['bootstrap', 'packages']);
});

/** A change of one thing in a step, and whether what it makes can differ. */
const STEP_CHANGES: readonly [string, ResolvedStep, ResolvedStep, 'other' | 'same'][] = [
  ['the text of a step', RUN, { ...RUN, script: 'echo bye >/etc/hello\n' }, 'other'],
  ['its shell', RUN, { ...RUN, shell: 'bash' }, 'other'],
  ['its environment', RUN, { ...RUN, env: { A: '1' } }, 'other'],
  ['a value of a secret', withSecret('1'), withSecret('2'), 'other'],
  ['its network', RUN, { ...RUN, network: true }, 'other'],
  ['its timeout', RUN, { ...RUN, timeout: 60 }, 'same'],
  ['its label', RUN, { ...RUN, label: 'another' }, 'same'],
  ['the content of a copied file', COPY, copyOf({ type: 'file', path: 'index.html', mode: 0o644, size: 5, sha256: 'd'.repeat(64) }), 'other'],
  ['the mode of a copied file', COPY, copyOf({ type: 'file', path: 'index.html', mode: 0o600, size: 5, sha256: 'b'.repeat(64) }), 'other'],
  ['the target of a copied link', COPY, copyOf({ type: 'link', path: 'latest', target: 'other.html' }), 'other'],
  ['the owner of a copy', COPY, { ...COPY, owner: 'www-data:www-data' }, 'other'],
  ['where a copy comes from', COPY, { ...COPY, tree: { ...TREE, root: hostPath('/elsewhere') } }, 'same'],
];

function withSecret(digit: string): ResolvedStep {
  return { ...RUN, secrets: { TOKEN: { secret: 'token', fingerprint: digit.repeat(64) } } };
}

function copyOf(entry: TreeEntry): ResolvedStep {
  return { ...COPY, tree: { ...TREE, entries: TREE.entries.map((each) => (each.path === entry.path ? entry : each)) } };
}

describe('the key of a layer above the base', () => {
  test.each(STEP_CHANGES)('tells of %s', (_, before, after, expected) => {
    const [one, two] = [keyOf(planOf({ steps: [before] })), keyOf(planOf({ steps: [after] }))];
    if (expected === 'same') expect(two).toBe(one);
    else expect(two).not.toBe(one);
  });

  test('changes with every layer below it', () => {
    const last = (changes: Partial<ResolvedTemplate>): string | undefined => planOf(changes).layers.at(-1)?.key;
    expect(last({ steps: [RUN] })).not.toBe(last({ steps: [COPY, RUN] }));
    expect(last({ steps: [RUN] })).not.toBe(last({ packages: ['curl'], steps: [RUN] }));
    expect(last({ steps: [RUN] })).not.toBe(last({ steps: [RUN], arch: 'arm64' }));
  });

  test('changes with the package indexes where the step has the network, and only there', () => {
    const key = (network: boolean, digit: string): string => keyOf(planOf({ steps: [{ ...RUN, network }] }, undefined, { bookworm: digit.repeat(64) }));
    expect(key(true, '1')).not.toBe(key(true, '2'));
    expect(key(false, '1')).toBe(key(false, '2'));
  });

  test('does not hold a secret by its value, and no path of this host', () => {
    const plan = planOf({ steps: [withSecret('1'), COPY] });
    expect(JSON.stringify(plan.layers.map(({ key, inputs }) => [key, inputs]))).not.toContain('/anywhere');
  });

  test('is shared by images that differ in what comes later', () => {
    const keys = (changes: Partial<ResolvedTemplate>): string[] => planOf(changes).layers.map(({ key }) => key);
    expect(keys({ roles: SPREAD['role']?.roles ?? [], packages: ['nginx'] }).slice(0, 2)).toEqual(keys(SPREAD['role'] ?? {}));
  });
});

describe('a key', () => {
  test('does not depend on the order in which packages were resolved, nor on where they are downloaded from', () => {
    const key = keyOf(planOf());
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 60, maxLength: 60 }), (order) => {
        const shuffled = (packages: ResolvedPackage[]): ResolvedPackage[] =>
          packages
            .map((item, i) => ({ item, at: order[i] ?? 0 }))
            .toSorted((a, b) => a.at - b.at)
            .map(({ item }) => item);
        expect(keyOf(planOf({}, shuffled))).toBe(key);
      }),
    );
    expect(keyOf(planOf({}, (packages) => packages.map((item) => ({ ...item, path: `elsewhere/${item.path}`, archive: 'security' }))))).toBe(key);
  });

  test('changes with every package that changes', () => {
    const key = keyOf(planOf());
    fc.assert(
      fc.property(fc.nat({ max: 20 }), (index) => {
        expect(
          keyOf(planOf({}, (packages) => packages.map((item, i) => (i === index ? { ...item, version: '1.0-2', sha256: 'f'.repeat(64) } : item)))),
        ).not.toBe(key);
      }),
    );
  });

  test.each<Partial<ResolvedTemplate>>([
    { arch: 'arm64' },
    { kernel: 'generic' },
    { disk: { size: 5 * 2 ** 30, filesystem: 'ext4' } },
    { disk: { size: 4 * 2 ** 30, filesystem: 'xfs' } },
    { base: { kind: 'release', release: 'debian-13' } },
  ])('changes with %j', (changes) => {
    expect(keyOf(planOf(changes))).not.toBe(keyOf(planOf()));
  });

  test("does not change with the image's name: images of one content share their layers", () => {
    expect(keyOf(planOf({ name: parseName('other', 'an image') }))).toBe(keyOf(planOf()));
  });
});

test("the image keeps the catalog's mirrors and says nothing of where it was built", () => {
  const config = JSON.stringify(imageConfig(planOf(), []));
  const release = findRelease(catalog, 'debian-12');
  expect(config).toContain(archiveOf(release).mirrors.archive);
  expect(config).not.toMatch(/pool\//);
});
