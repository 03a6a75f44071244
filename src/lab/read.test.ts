import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { hostPath } from '../base/types.ts';
import { sampleLab } from '../../tests/support/lab.ts';
import { LAB_EXAMPLE } from '../../tools/lab-reference.ts';
import type { Lab } from './model.ts';
import { parseLab, readLab } from './read.ts';

/** Reads a lab file that lies among others. */
async function read(text: string, files: Readonly<Record<string, string>> = {}): Promise<Lab> {
  await using lab = await sampleLab();
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'ingot-lab-'));
  stack.defer(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    if (content.startsWith('-> ')) await symlink(content.slice(3), join(folder, name));
    else await writeFile(join(folder, name), content);
  }
  return await parseLab({ ...lab.context(), folder: hostPath(folder) }, hostPath(join(folder, 'lab.yaml')), text);
}

async function problemsOf(text: string, files: Readonly<Record<string, string>> = {}): Promise<string[]> {
  try {
    await read(text, files);
    return [];
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    expect(error.code).toBe('lab-invalid');
    return error.problems.map(
      ({ position, path, message, hint }) => `${position?.line}:${position?.column} ${path ?? ''} ${message}${hint === undefined ? '' : `. ${hint}`}`,
    );
  }
}

describe('a lab file', () => {
  test('is its VMs in the order in which they start, with all that they are given', async () => {
    const text = [
      'lab: shop',
      'vms:',
      '  web: { image: debian-12, count: 2, after: db, memory: 512MiB, ready: { port: 80 }, timeout: 5m, files: [{ copy: site, to: /srv/site }] }',
      '  db:',
      '    image: debian-12',
      '    ready: { command: pg_isready }',
      '    scripts: [setup.sh, { run: "true", when: always }]',
    ].join('\n');
    const { members, name } = await read(text, { 'site/index.html': 'hi', 'setup.sh': '#!/bin/sh\n' });
    expect(name).toBe('shop');
    expect(members.map((member) => [member.name, member.vm, member.after])).toEqual([
      ['db', 'shop-db', []],
      ['web-1', 'shop-web-1', ['db']],
      ['web-2', 'shop-web-2', ['db']],
    ]);
    expect(members[1]).toMatchObject({
      memory: 2 ** 29,
      cpus: 2,
      timeout: 300,
      ready: { kind: 'port', port: 80 },
      files: [{ to: '/srv/site', owner: 'root:root' }],
    });
    expect(members[0]).toMatchObject({
      ready: { kind: 'command', argv: ['sh', '-c', 'pg_isready'] },
      scripts: [
        { label: 'setup.sh', content: '#!/bin/sh\n', always: false },
        { label: 'true', always: true },
      ],
    });
  });

  test('has forwards and shared folders, relative to its own', async () => {
    const { members } = await read('lab: a\nvms: { b: { image: x, forwards: ["8080:80", 443], shares: ["src:/srv/src:ro"] } }');
    expect(members[0]?.forwards).toEqual([
      { protocol: 'tcp', address: '127.0.0.1', host: 8080, guest: 80 },
      { protocol: 'tcp', address: '127.0.0.1', guest: 443 },
    ]);
    expect(members[0]?.shares).toMatchObject([{ host: expect.stringMatching(/^\/.*\/src$/), guest: '/srv/src', readOnly: true }]);
    expect(members[0]?.source.shares).toHaveLength(1);
    expect(await problemsOf('lab: a\nvms:\n  b: { image: x, count: 2, forwards: ["8080:80", "99999"], shares: ["src"] }')).toEqual([
      expect.stringContaining('vms.b.forwards asks for one port of the host for 2 VMs'),
      expect.stringContaining('vms.b.forwards[1] "99999" is no port forward'),
      expect.stringContaining('vms.b.shares[0] "src" is no shared folder'),
    ]);
  });

  test('has a file by its own name in a folder', async () => {
    const { members } = await read('lab: a\nvms: { b: { image: x, files: [{ copy: a/motd, to: /etc/ }] } }', { 'a/motd': 'hi' });
    expect(members[0]?.files).toMatchObject([{ to: '/etc/motd' }]);
  });

  test('gives a file another hash when its content, owner or mode changes, and only then', async () => {
    const hashOf = async (entry: string, content = 'hi'): Promise<string> =>
      (await read(`lab: a\nvms: { b: { image: x, files: [${entry}] } }`, { motd: content })).members[0]?.files[0]?.hash ?? '';
    const first = await hashOf('{ copy: motd, to: /etc/motd }');
    expect(await hashOf('{ copy: motd, to: /etc/motd }')).toBe(first);
    const others = [
      await hashOf('{ copy: motd, to: /etc/motd }', 'ho'),
      await hashOf('{ copy: motd, to: /etc/motd, owner: nobody }'),
      await hashOf('{ copy: motd, to: /etc/motd, mode: "0600" }'),
    ];
    expect(new Set([first, ...others]).size).toBe(4);
  });

  test('that is an example of the reference is right', async () => {
    const { members } = await read(LAB_EXAMPLE, { site: 'hi', 'setup-db.sh': '#!/bin/sh\n', 'db.cloud.yaml': '#cloud-config\n{}\n' });
    expect(members.map(({ name }) => name)).toEqual(['db', 'web-1', 'web-2']);
  });
});

describe('mistakes', () => {
  test('are told all at once, each at its place', async () => {
    const text = [
      'lab: shop',
      'network: 10.0.2.0/24',
      'vms:',
      '  db: { imag: debian-12 }',
      '  web: { image: debian-12, after: bd, memory: 32MiB, scripts: [/etc/passwd] }',
    ].join('\n');
    expect(await problemsOf(text)).toEqual(['4:9 vms.db.imag is unknown. Did you mean image?']);
    expect(await problemsOf(text.replace('imag:', 'image:'))).toEqual([
      '2:10 network overlaps 10.0.2.0/24, on which every VM reaches the world',
      '5:35 vms.web.after names bd, which is not there. Did you mean db?',
      '5:47 vms.web.memory is below 64 MiB',
      "5:64 vms.web.scripts[0] must be relative to the lab file's folder. Copy or bind what it needs into that folder.",
    ]);
  });

  test.each([
    ['lab: shop\nvms: {}', 'must not be empty'],
    ['lab: Shop\nvms: { a: { image: x } }', 'must have lower-case letters'],
    ['lab: shop\nvms: { a: { profile: lrge } }', 'there is no profile lrge. Did you mean large?'],
    ['lab: shop\nvms: { web-1: { image: x }, web: { image: x, count: 1 } }', 'makes a VM called web-1, and so does web-1'],
    ['lab: shop\nvms: { localhost: { image: x } }', 'cannot be called localhost'],
    [`lab: ${'s'.repeat(32)}\nvms: { ${'w'.repeat(32)}: { image: x } }`, 'which is longer than 63 characters'],
    ['lab: shop\nplatform: proxmox\nvms: { a: { image: x } }', 'must be local or a target such as proxmox:home'],
    ['lab: shop\nplatform: proxmox:home\nvms: { a: { image: x, shares: [.:/src] } }', 'is for VMs of this host, not of proxmox:home'],
    ['lab: shop\nnetwork: 192.168.9.0/28\nvms: { a: { image: x, count: 20 } }', 'has room for 14 VMs, and there are 20'],
    ['', 'is empty'],
  ])('%j', async (text, message) => {
    expect((await problemsOf(text)).join('\n')).toContain(message);
  });

  test('nothing out of the folder can be named, by a link neither', async () => {
    const files = { outside: '-> /etc/passwd', 'site/link': '-> ../../../etc' };
    const text = 'lab: shop\nvms: { a: { image: x, user-data: outside, files: [{ copy: ../x, to: /x }, { copy: site, to: /y }] } }';
    expect(await problemsOf(text, files)).toEqual([
      expect.stringContaining("leads out of the lab file's folder, through a link"),
      expect.stringContaining("leads out of the lab file's folder"),
      expect.stringContaining('link is a link to ../../../etc'),
    ]);
  });

  test('a file that is not there is told so', async () => {
    await using lab = await sampleLab();
    await expect(readLab(lab.context(), hostPath('/nowhere/lab.yaml'))).rejects.toMatchObject({ code: 'lab-file-missing', class: 'not-found' });
  });
});
