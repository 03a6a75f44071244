import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { putSampleImage } from '../../tests/support/sample-images.ts';
import { failureOf, problemsOf, templateFolder, type TemplateFolder } from '../../tests/support/templates.ts';
import { IngotError } from '../base/errors.ts';
import { openSecrets } from '../base/secrets.ts';
import type { Host } from '../base/host.ts';
import { openStore } from '../store/store.ts';
import { resolveTemplate } from './resolve.ts';

const KEY = sshKey();
const ARMORED = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n';

/** A public key as ssh-keygen writes it: RFC 8709. */
function sshKey(): string {
  const raw = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const field = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([field(Buffer.from('ssh-ed25519')), field(raw)]).toString('base64')}`;
}

/** A host whose addresses answer with these texts; everything else is not there. Counts what was asked. */
function answering(answers: Readonly<Record<string, string>>, asked: string[] = []): (host: Host) => Host {
  return (host) => ({
    ...host,
    fetch: (input) => {
      const url = String(input);
      asked.push(url);
      const answer = answers[url];
      return Promise.resolve(answer === undefined ? new Response('no', { status: 404 }) : new Response(answer));
    },
  });
}

async function problems(files: Readonly<Record<string, string>>, prepare?: (at: TemplateFolder) => Promise<void>): Promise<string[]> {
  await using at = await templateFolder(files);
  await prepare?.(at);
  return await problemsOf(at.resolve());
}

describe('what an image starts from', () => {
  test('an image of the store brings its disk along, and an output has its folder', async () => {
    const found = await problems({ 'web.yaml': 'from: base\ndisk: { lvm: true }\noutputs: [{ format: raw, path: nowhere/x.raw }]\n' }, async (at) => {
      await putSampleImage(openStore(at.host, at.home), at.home, 'base', ['latest']);
    });
    expect(found).toEqual([
      'web.yaml:2:14 disk.lvm: cannot be said here: the disk is that of the image below',
      expect.stringMatching(/^web.yaml:3:32 outputs\[0\].path: there is no folder .*nowhere$/),
    ]);
  });

  test('a release, an image of the store, a file, an address', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: debian-12\n', 'disk.qcow2': 'x' });
    await putSampleImage(openStore(at.host, at.home), at.home, 'web', ['latest', '1.4']);
    const base = async (from: string) => {
      await at.write({ 'web.yaml': `from: ${from}\n` });
      return (await at.resolve({ arch: 'amd64' })).base;
    };
    expect(await base('debian-12')).toEqual({ kind: 'release', release: 'debian-12' });
    expect(await base('{ release: debian-13 }')).toEqual({ kind: 'release', release: 'debian-13' });
    expect(await base('web:1.4')).toEqual({ kind: 'image', reference: 'web:1.4' });
    expect(await base('{ image: web }')).toEqual({ kind: 'image', reference: 'web' });
    expect(await base('{ file: disk.qcow2 }')).toEqual({ kind: 'file', path: join(at.folder, 'disk.qcow2') });
    expect(await base(`{ file: ${at.folder}/disk.qcow2 }`)).toEqual({ kind: 'file', path: join(at.folder, 'disk.qcow2') });
    expect(await base(`{ url: 'https://example.org/a.qcow2', sha256: ${'a'.repeat(64)} }`)).toMatchObject({ kind: 'url' });
    await at.write({ 'web.yaml': 'from: debain-12\n' });
    expect(await problemsOf(at.resolve())).toEqual([
      expect.stringMatching(/^web.yaml:1:7 from: there is neither a release nor an image "debain-12" \| Did you mean debian-12 or debian-1\d or debian-1\d\?$/),
    ]);
    await at.write({ 'web.yaml': 'from: wbe\n' });
    expect(await problemsOf(at.resolve())).toEqual(['web.yaml:1:7 from: there is neither a release nor an image "wbe" | Did you mean web?']);
    await at.write({ 'web.yaml': 'name: x\n' });
    expect((await problemsOf(at.resolve()))[0]).toMatch(/^web.yaml:1:1 does not say what to start from/);
    expect((await at.resolve({ from: 'debian-12' })).base).toEqual({ kind: 'release', release: 'debian-12' });
  });

  test("what stands on an image has the image's architecture, kernel and disk, unless something else is possible", async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: base\ndisk: { size: 8GiB }\n' });
    await putSampleImage(openStore(at.host, at.home), at.home, 'base', ['latest']);
    expect(await at.resolve()).toMatchObject({ name: 'web', arch: 'amd64', kernel: 'cloud', disk: { size: 8 * 2 ** 30, filesystem: 'ext4' } });
    await at.write({ 'web.yaml': 'from: base\narch: arm64\ndisk: { size: 512KiB, filesystem: xfs }\n' });
    expect(await problemsOf(at.resolve())).toEqual([
      'web.yaml:2:7 arch: the image is for amd64, so what is built on it cannot be for arm64',
      'web.yaml:3:15 disk.size: is 512 KiB, but the image below has 1.0 MiB',
      'web.yaml:3:35 disk.filesystem: cannot be xfs: the image below has ext4',
    ]);
  });
});

describe('names', () => {
  test('are those of the flag, the template, the file; of one line, what differs from the defaults', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: debian-12\n' });
    expect((await at.resolve()).name).toBe('web');
    expect((await at.resolve({ roles: ['docker'] })).name).toBe('web');
    expect((await at.resolve({ name: 'other' })).name).toBe('other');
    const other = at.host.machine.arch === 'amd64' ? 'arm64' : 'amd64';
    const oneLine = (overrides: object) => resolveTemplate(at.context, undefined, { from: 'debian-12', roles: [], packages: [], ...overrides });
    expect(await oneLine({ roles: ['docker'], packages: ['nginx', 'nginx'] })).toMatchObject({
      name: 'debian-12-docker',
      packages: ['nginx'],
      roles: [{ name: 'docker' }],
    });
    expect((await oneLine({ arch: other, kernel: 'generic', filesystem: 'xfs' })).name).toBe(`debian-12-${other}-generic-xfs`);
    expect((await oneLine({})).name).toBe('debian-12');
    expect(await failureOf(oneLine({ roles: ['dokcer'] }))).toMatchObject({ code: 'role-unknown', hint: 'Did you mean docker?' });
    expect(await failureOf(oneLine({ size: '1GiB' }))).toMatchObject({ class: 'usage' });
    expect(await failureOf(oneLine({ packages: ['Nginx!'] }))).toMatchObject({ code: 'package-invalid' });
    await at.write({ 'My_Web.yaml': 'from: debian-12\n' });
    const loaded = await at.load({}, 'My_Web.yaml');
    expect((await problemsOf(resolveTemplate(at.context, loaded, { roles: [], packages: [] })))[0]).toMatch(
      /^My_Web.yaml:1:1 "My_Web" cannot be the name of an image, which/,
    );
  });
});

describe('what a template brings in', () => {
  test('trees with modes, links and hashes; scripts; playbooks with their folder', async () => {
    await using at = await templateFolder({
      'web.yaml': `
from: debian-12
steps:
  - { copy: site, to: /var/www/, owner: "www-data:www-data" }
  - { copy: site/index.html, to: /srv/, mode: "0600" }
  - { script: setup.sh, arguments: [a], network: true, max-age: 2d, timeout: 10m }
  - { ansible: play/site.yaml, variables: { a: null } }
  - { run: "  \\n  apt-get update\\n", name: refresh }
`,
      'site/index.html': 'hello',
      'site/b/run': '#!/bin/sh\n',
      'setup.sh': '#!/bin/sh\necho hi\n',
      'play/site.yaml': '- hosts: all\n',
      'play/roles/x/tasks.yaml': '',
      'play/.git/HEAD': 'x',
    });
    await chmod(join(at.folder, 'site/b/run'), 0o755);
    await symlink('/etc/nginx/site', join(at.folder, 'site/absolute'));
    await symlink('index.html', join(at.folder, 'site/relative'));
    const { steps } = await at.resolve();
    expect(steps).toMatchObject([
      {
        kind: 'copy',
        label: 'copy site to /var/www/',
        to: '/var/www',
        owner: 'www-data:www-data',
        tree: {
          single: false,
          entries: [
            { type: 'folder', path: '', mode: 0o755 },
            { type: 'link', path: 'absolute', target: '/etc/nginx/site' },
            { type: 'folder', path: 'b', mode: 0o755 },
            { type: 'file', path: 'b/run', mode: 0o755, size: 10 },
            { type: 'file', path: 'index.html', mode: 0o644, size: 5, sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' },
            { type: 'link', path: 'relative', target: 'index.html' },
          ],
        },
      },
      { kind: 'copy', to: '/srv/index.html', tree: { single: true, entries: [{ type: 'file', path: '', mode: 0o600 }] } },
      {
        kind: 'script',
        label: 'script setup.sh',
        fileName: 'setup.sh',
        content: Buffer.from('#!/bin/sh\necho hi\n').toString('base64'),
        maxAge: 172_800,
        timeout: 600,
      },
      {
        kind: 'ansible',
        playbook: 'site.yaml',
        variables: { a: null },
        tree: { entries: [{ path: '' }, { path: 'roles' }, { path: 'roles/x' }, { path: 'roles/x/tasks.yaml' }, { path: 'site.yaml' }] },
      },
      { kind: 'run', label: 'refresh', maxAge: 604_800 },
    ]);
  });

  test('nothing comes from outside the folder of the template: each way out is refused at its line', async () => {
    const found = await problems(
      {
        'web.yaml': `from: debian-12
steps:
  - { copy: ../../etc, to: /x }
  - { copy: /etc/shadow, to: /x }
  - { copy: out, to: /x }
  - { script: ~/x.sh }
  - { script: through/x.sh }
  - { copy: inner, to: /x }
  - { ansible: dangling, name: a }
  - { copy: sock, to: /x }
  - { copy: missing.html, to: /x }
users:
  - { name: a, ssh-keys: [{ file: ../../key }] }
system: { trusted-ca: [{ file: out }] }
outputs: [{ format: raw, path: ../x.raw }]
`,
        'inner/x': '',
        'missing.htm': '',
      },
      async (at) => {
        await symlink('/etc/passwd', join(at.folder, 'out'));
        await symlink('/usr/bin', join(at.folder, 'through'));
        await symlink('nowhere', join(at.folder, 'dangling'));
        await symlink('../../../../etc/shadow', join(at.folder, 'inner/shadow'));
        const server = createServer().listen(join(at.folder, 'sock'));
        await new Promise((done) => server.once('listening', done));
        server.unref();
      },
    );
    expect(found.map((text) => text.replace(/ \| .*$/, '').replace(/link to \/\S+/, 'link to …'))).toEqual([
      "web.yaml:3:13 steps[0].copy: leads out of the template's folder",
      "web.yaml:4:13 steps[1].copy: must be relative to the template's folder",
      "web.yaml:5:13 steps[2].copy: leads out of the template's folder, through a link to …",
      "web.yaml:6:15 steps[3].script: must be relative to the template's folder, without ~",
      "web.yaml:7:15 steps[4].script: leads out of the template's folder, through a link to …",
      "web.yaml:8:13 steps[5].copy: shadow is a link to ../../../../etc/shadow, out of the template's folder",
      'web.yaml:9:16 steps[6].ansible: dangling is a link that leads nowhere',
      'web.yaml:10:13 steps[7].copy: sock is neither a file nor a folder',
      'web.yaml:11:13 steps[8].copy: there is no missing.html',
      "web.yaml:13:35 users[0].ssh-keys[0].file: leads out of the template's folder",
      "web.yaml:14:32 system.trusted-ca[0].file: leads out of the template's folder, through a link to …",
      "web.yaml:15:32 outputs[0].path: leads out of the template's folder",
    ]);
    expect(found.find((text) => text.includes('missing'))).toContain('Did you mean missing.htm?');
  });

  test('whatever a path is, nothing is read outside', { timeout: 60_000 }, async () => {
    const read: string[] = [];
    const watched = (path: string): string => (read.push(path), path);
    await using at = await templateFolder({ 'in/site/a': '', 'in/x.sh': '#!/bin/sh\n', 'out/secret': '' }, (host) => ({
      ...host,
      files: {
        ...host.files,
        read: (path) => host.files.read(watched(path)),
        list: (path) => host.files.list(watched(path)),
        sha256: (path) => host.files.sha256(watched(path)),
      },
    }));
    await symlink('../out', join(at.folder, 'in/way'));
    await symlink('../../out/secret', join(at.folder, 'in/site/way'));
    const path = fc
      .array(fc.constantFrom('..', '.', '/', '/', '~', 'site', 'way', 'a', 'x.sh', 'secret', 'out', 'in', '\n', ' '), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.join(''));
    let count = 0;
    await fc.assert(
      fc.asyncProperty(path, path, path, async (copy, script, key) => {
        const file = `in/t${(count += 1)}.yaml`;
        const template = {
          from: 'debian-12',
          steps: [{ copy, to: '/x' }, { script }, { ansible: script }],
          users: [{ name: 'a', 'ssh-keys': [{ file: key }] }],
        };
        await at.write({ [file]: JSON.stringify(template) });
        read.splice(0);
        const outcome = await at
          .load({}, file)
          .then((loaded) => resolveTemplate(at.context, loaded, { roles: [], packages: [] }))
          .catch((error: unknown) => error);
        if (outcome instanceof Error && !(outcome instanceof IngotError)) throw outcome;
        // Where a name is missing, its folder is listed for the nearest, but only inside.
        const inside = join(at.folder, 'in');
        expect(read.filter((name) => name.startsWith(at.folder) && name !== inside && !name.startsWith(`${inside}/`))).toEqual([]);
        expect(read.filter((name) => /^\/(etc|root|home|out|in|secret)/.test(name))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('special files in a tree are named, all of them', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: debian-12\nsteps: [{ copy: site, to: /x }]\n', 'site/a': '', 'site/sub/b': '' });
    for (const name of ['site/pipe', 'site/sub/pipe']) execFileSync('mkfifo', [join(at.folder, name)]);
    expect(await problemsOf(at.resolve())).toEqual([
      'web.yaml:2:17 steps[0].copy: pipe is a device, pipe or socket, which no image can have',
      'web.yaml:2:17 steps[0].copy: sub/pipe is a device, pipe or socket, which no image can have',
    ]);
  });

  test('large files are hashed once as long as they stay as they are', async () => {
    const hashed: string[] = [];
    await using at = await templateFolder(
      { 'web.yaml': 'from: debian-12\nsteps: [{ copy: data, to: /x }]\n', 'data/big': Buffer.alloc(2 ** 20 + 1) },
      (host) => ({
        ...host,
        clock: { ...host.clock, now: () => new Date(Date.now() + 10_000) },
        files: { ...host.files, sha256: (path) => (hashed.push(path), host.files.sha256(path)) },
      }),
    );
    const first = await at.resolve();
    expect(await at.resolve()).toEqual(first);
    expect(hashed).toEqual([join(at.folder, 'data/big')]);
    await at.write({ 'data/big': Buffer.alloc(2 ** 20 + 1, 1) });
    expect(await at.resolve()).not.toEqual(first);
  });

  test('what a fragment names lies beside the fragment', async () => {
    await using at = await templateFolder({
      'web.yaml': 'from: debian-12\ninclude: [parts/site.yaml]\n',
      'parts/site.yaml': 'steps: [{ copy: files, to: /x }, { copy: ../up, to: /y }]\n',
      'parts/files/x': '',
      up: '',
    });
    expect((await at.resolve()).steps).toMatchObject([{ tree: { root: join(at.folder, 'parts/files') } }, { tree: { root: join(at.folder, 'up') } }]);
    await at.write({ 'parts/site.yaml': 'steps:\n  - { copy: nothing, to: /x }\n' });
    expect(await problemsOf(at.resolve())).toEqual(['parts/site.yaml:2:13 steps[0].copy: there is no nothing']);
  });

  test('a script says what runs it; ages and variables that mean nothing are refused', async () => {
    expect(
      await problems({
        'web.yaml':
          'from: debian-12\nsteps:\n  - { script: x.sh }\n  - { run: a, max-age: 1d }\ndisk: { size: 1GiB, partitions: [{ mount: /, size: 1GiB }] }\nusers: [{ name: a }, { name: a }]\nroles: [dokcer, { docker: { x: 1 } }]\n',
        'x.sh': 'echo hi\n',
      }),
    ).toEqual([
      'web.yaml:3:15 steps[0].script: must be a program: its first line says what runs it | For example #!/bin/sh or #!/usr/bin/env python3.',
      'web.yaml:4:24 steps[1].max-age: means nothing without `network: true`: such a step does not grow old',
      'web.yaml:5:15 disk.size: is 1.0 GiB, but an image needs 2.0 GiB',
      'web.yaml:5:43 disk.partitions[0].mount: cannot be a partition of its own: the root is there already, and has what the others leave',
      'web.yaml:6:30 users[1].name: a is there twice',
      expect.stringMatching(/^web.yaml:7:9 roles\[0\]: there is no role "dokcer" \| Did you mean docker\?$/),
      expect.stringMatching(/^web.yaml:7:\d+ roles\[1\].docker.x: the role docker has no parameter "x"/),
    ]);
  });
});

test('a network whose parts do not fit together is refused, since its VMs could not be reached', async () => {
  expect(
    await problems({
      'web.yaml': `from: debian-12
network:
  ethernets: { lan0: { dhcp4: true }, br0: {} }
  vlans: { v20: { id: 20, link: lan1 } }
  bridges: { br0: { interfaces: [lan0, br0, wan] } }
`,
    }),
  ).toEqual(
    [
      'web.yaml:4:33 network.vlans.v20.link: there is no interface lan1 | Did you mean lan0?',
      'web.yaml:5:19 network.bridges.br0: is in ethernets too',
      'web.yaml:5:40 network.bridges.br0.interfaces[1]: stands on itself',
      'web.yaml:5:45 network.bridges.br0.interfaces[2]: there is no interface wan',
    ].map((line) => expect.stringContaining(line.split(' | ')[0] ?? '')),
  );
  expect(
    await problems({
      'web.yaml': 'from: debian-12\nnetwork: { ethernets: { a: { addresses: [192.0.2.300/24, "::1/129", 192.0.2.1/24], routes: [{ to: all, via: x }] } } }\n',
    }),
  ).toEqual([
    'web.yaml:2:42 network.ethernets.a.addresses[0]: must be an address with its prefix, such as 192.0.2.10/24',
    'web.yaml:2:58 network.ethernets.a.addresses[1]: must be an address with its prefix, such as 192.0.2.10/24',
    'web.yaml:2:99 network.ethernets.a.routes[0].to: must be default or a network such as 198.51.100.0/24',
    'web.yaml:2:109 network.ethernets.a.routes[0].via: must be an address',
  ]);
});

describe('keys and certificates', () => {
  test('come from text, files and addresses, and are checked', async () => {
    const asked: string[] = [];
    await using at = await templateFolder(
      {
        'web.yaml': `from: debian-12
users:
  - { name: a, ssh-keys: ["${KEY} me", { file: keys }, { url: "https://example.org/me.keys" }] }
system:
  repositories: [{ name: docker, uri: "https://example.org/deb", suites: [stable], key: { url: "https://example.org/key" } }]
`,
        keys: `# mine\n\nfrom="10.0.0.0/8",command="echo a b" ${KEY} other\n`,
      },
      answering({ 'https://example.org/me.keys': `${KEY}\n`, 'https://example.org/key': `junk\n${ARMORED}` }, asked),
    );
    const { users, system } = await at.resolve();
    expect(users[0]?.sshKeys).toEqual([`${KEY} me`, `from="10.0.0.0/8",command="echo a b" ${KEY} other`, KEY]);
    expect(system.repositories).toMatchObject([{ name: 'docker', components: ['main'], key: ARMORED }]);
    expect(asked.toSorted()).toEqual(['https://example.org/key', 'https://example.org/me.keys']);
    // What was seen is remembered for --offline, which asks nobody.
    expect((await at.resolve({}, { offline: true })).users[0]?.sshKeys).toHaveLength(3);
    expect(asked).toHaveLength(2);
    await at.write({ 'web.yaml': 'from: debian-12\nusers: [{ name: a, ssh-keys: [{ url: "https://example.org/new" }] }]\n' });
    expect(await failureOf(at.resolve({}, { offline: true }))).toMatchObject({ class: 'upstream', code: 'offline-missing' });
    expect(await failureOf(at.resolve())).toMatchObject({ class: 'upstream', code: 'download-failed', message: expect.stringContaining('404') });
  });

  test('a checksum is kept; http needs one', async () => {
    const url = 'http://example.org/me.keys';
    await using at = await templateFolder({ 'web.yaml': `from: debian-12\nusers: [{ name: a, ssh-keys: [{ url: "${url}" }] }]\n` }, answering({ [url]: KEY }));
    expect((await problemsOf(at.resolve()))[0]).toMatch(/^web.yaml:2:38 users\[0\].ssh-keys\[0\].url: needs a sha256/);
    await at.write({ 'web.yaml': `from: debian-12\nusers: [{ name: a, ssh-keys: [{ url: "${url}", sha256: ${'a'.repeat(64)} }] }]\n` });
    expect(await failureOf(at.resolve())).toMatchObject({ class: 'verification', code: 'download-mismatch' });
  });

  test.each([
    ['a key that is cut off', `users: [{ name: a, ssh-keys: ["${KEY.slice(0, 40)}"] }]`, 'cut off or changed'],
    ['a key of another type', `users: [{ name: a, ssh-keys: ["${KEY.replace('ssh-ed25519', 'ssh-rsa')}"] }]`, 'cut off or changed'],
    ['some text', 'users: [{ name: a, ssh-keys: ["hello world"] }]', 'is not a public SSH key'],
    ['a DSA key', 'users: [{ name: a, ssh-keys: ["ssh-dss AAAA"] }]', 'DSA'],
    ['a private key', 'users: [{ name: a, ssh-keys: ["-----BEGIN OPENSSH PRIVATE KEY-----"] }]', 'is a private key'],
    ['no certificate', 'system: { trusted-ca: [hello] }', 'holds no certificate'],
    ['a broken certificate', 'system: { trusted-ca: ["-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----"] }', 'cut off or changed'],
    [
      'no repository key',
      'system: { repositories: [{ name: a, uri: "https://x.org", suites: [a], key: hello }] }',
      'is neither a PGP public key nor an RSA public key in PEM',
    ],
  ])('%s is refused, and its line not shown', async (_, text, message) => {
    await using at = await templateFolder({ 'web.yaml': `from: debian-12\n${text}\n` });
    const [problem] = (await failureOf(at.resolve())).problems;
    expect(problem?.message).toContain(message);
    expect(problem?.position).toMatchObject({ file: 'web.yaml', line: 2 });
    expect(problem?.source).toBeUndefined();
  });

  test('a binary repository key becomes armored', async () => {
    const key = Buffer.from([0x99, 1, 2, 3]);
    await using at = await templateFolder({
      'web.yaml': 'from: debian-12\nsystem: { repositories: [{ name: a, uri: "https://x.org", suites: [a], key: { file: key.gpg } }] }\n',
    });
    await writeFile(join(at.folder, 'key.gpg'), key);
    const [repository] = (await at.resolve()).system.repositories;
    expect(repository?.key).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQECAw==\n=[A-Za-z0-9+/]{4}\n-----END PGP PUBLIC KEY BLOCK-----\n$/);
  });
});

describe('secrets', () => {
  const VALUE = 'hunter2-hunter2';
  async function withSecret(files: Readonly<Record<string, string>>): Promise<TemplateFolder> {
    const at = await templateFolder(files);
    await openSecrets(at.context).set('token', VALUE);
    return at;
  }

  test('are known by name and keyed hash', async () => {
    await using at = await withSecret({
      'web.yaml': 'from: debian-12\nusers: [{ name: a, password-hash: { secret: token } }]\nsteps: [{ run: "curl -u $T", secrets: { T: token } }]\n',
    });
    const resolved = await at.resolve();
    const fingerprint = await openSecrets(at.context).fingerprint('token');
    expect(resolved.steps).toMatchObject([{ secrets: { T: { secret: 'token', fingerprint } } }]);
    expect(resolved.users).toMatchObject([{ passwordHash: { secret: 'token', fingerprint } }]);
    expect(JSON.stringify(resolved)).not.toContain(VALUE);
  });

  test('that are not there are told with the nearest', async () => {
    await using at = await withSecret({ 'web.yaml': 'from: debian-12\nsteps: [{ run: x, env: { T: a }, secrets: { T: tokn } }]\n' });
    const found = await problemsOf(at.resolve());
    expect(found[0]).toMatch(/^web.yaml:2:48 steps\[0\].secrets.T: is set by env too$/);
    expect(found[1]).toMatch(/^web.yaml:2:48 steps\[0\].secrets.T: there is no secret "tokn" \| Did you mean token\?/);
  });

  test.each([
    ['a run text', `steps:\n  - run: curl -u me:${VALUE}\n`, 'web.yaml:3:10 steps[0].run: holds the secret token in plain'],
    [
      'its base64',
      `steps:\n  - run: echo ${Buffer.from(VALUE).toString('base64')} | base64 -d\n`,
      'web.yaml:3:10 steps[0].run: holds the secret token in plain',
    ],
    ['an environment', `steps:\n  - run: x\n    env: { A: ${VALUE} }\n`, 'web.yaml:4:15 steps[0].env.A: holds the secret token in plain'],
    ['a file', `steps:\n  - file: /x\n    content: |\n      a\n      b=${VALUE}\n`, 'web.yaml:4:14 steps[0].content: holds the secret token in plain'],
    ['a variable', `variables: { a: { default: ${VALUE} } }\n`, 'web.yaml:2:28 variables.a.default: holds the secret token in plain'],
    ['a script', 'steps: [{ script: setup.sh }]\n', 'web.yaml:2:19 steps[0].script: setup.sh holds the secret token in plain'],
    ['a copied file', 'steps: [{ copy: site, to: /x }]\n', 'web.yaml:2:17 steps[0].copy: deep/config holds the secret token in plain'],
  ])('in plain in %s are refused, and never shown', async (_, text, expected) => {
    await using at = await withSecret({
      'web.yaml': `from: debian-12\n${text}`,
      'setup.sh': `#!/bin/sh\nlogin ${VALUE}\n`,
      'site/deep/config': `x=${VALUE}\n`,
    });
    const error = await failureOf(at.resolve());
    expect(error).toMatchObject({ class: 'usage', code: 'secret-in-template', message: 'The template holds the secret token in plain' });
    expect((await problemsOf(at.resolve())).map((line) => line.replace(/ \| .*$/, ''))).toContain(expected);
    expect(JSON.stringify([error.message, error.hint, error.detail, error.problems])).not.toContain(VALUE);
    expect(JSON.stringify(error.problems)).not.toContain(Buffer.from(VALUE).toString('base64'));
  });

  test('in plain, beside another mistake on the same line: both are told, and the line is not shown', async () => {
    await using at = await withSecret({ 'web.yaml': `from: debian-12\nsteps: [{ copy: nothing, to: /x, name: ${VALUE} }]\n` });
    const error = await failureOf(at.resolve());
    expect(error.code).toBe('template-invalid');
    expect(error.problems.map(({ message }) => message)).toEqual(['there is no nothing', 'holds the secret token in plain']);
    expect(JSON.stringify(error.problems)).not.toContain(VALUE);
  });

  test('behind a passphrase: nobody is asked for a template that uses none, and it is said that nothing was compared', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: debian-12\nsteps: [{ run: x }]\n' });
    const passphrase = { ...at.context, passphraseWork: 2, askHidden: () => Promise.resolve('open sesame') };
    await openSecrets(passphrase).set('token', VALUE, { passphrase: true });
    expect((await at.resolve()).name).toBe('web');
    expect(JSON.stringify(at.events)).toContain('could not be opened');
  });
});
