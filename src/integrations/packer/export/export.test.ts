import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { realHost } from '../../../base/host.ts';
import { PACKER_ACCOUNT, PACKER_RELEASES, packerOrigin } from '../../../../tests/support/packer-origin.ts';
import { sampleHome } from '../../../../tests/support/sample-images.ts';
import { IngotError } from '../../../base/errors.ts';
import { hostPath } from '../../../base/types.ts';
import type { ResolvedStep } from '../../../template/template.ts';
import { parseHcl } from '../hcl/parse.ts';
import { BUILDER_NAMES, type BuilderName } from './builders/builders.ts';
import { writeFolder } from './folder.ts';
import { makeProject, type Project } from './make-project.ts';
import { goText } from './pieces.ts';
import type { Origin, ProjectFile } from './project.ts';
import { placeTree, putFiles, script } from './script.ts';

const OPTIONS = { builders: BUILDER_NAMES, account: PACKER_ACCOUNT } as const;
const hcl = (origin: Origin, builders: readonly BuilderName[] = BUILDER_NAMES): Project => makeProject(origin, { ...OPTIONS, builders, format: 'hcl' });

function textOf({ files }: Project, path: string): string {
  const file = files.find((each) => each.path === path);
  if (file === undefined || !('content' in file)) throw new Error(`there is no ${path}, but ${files.map((each) => each.path).join(', ')}`);
  return Buffer.from(file.content).toString();
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof IngotError) return error.code;
    throw error;
  }
  throw new Error('nothing was wrong');
}

const PROGRAM = {
  env: {},
  secrets: {},
  network: true,
  maxAge: 1,
  booted: false,
  timeout: 60,
} as const;

describe('a project', () => {
  test('of an ISO of the user is installed from it, and says what of it does not carry over', async () => {
    const path = hostPath('/media/my medium.iso');
    const base = {
      kind: 'installer',
      release: 'sles-16.0',
      method: 'agama',
      medium: { kind: 'iso', path },
      answers: { path, text: '{}' },
      arguments: 'quiet',
    } as const;
    const checksum = `sha256:${'0'.repeat(64)}`;
    const project = hcl({ ...(await packerOrigin('sles-16.0', { base })), medium: { url: path, checksum } }, ['qemu']);
    expect(textOf(project, 'variables.pkr.hcl')).toContain(`"${path}"`);
    expect(textOf(project, 'variables.pkr.hcl')).toContain(`"${checksum}"`);
    expect(project.notCarried).toEqual(expect.arrayContaining([expect.stringContaining('answer file'), expect.stringContaining('boot_command')]));
    const netboot = { ...base, release: 'debian-12', method: 'preseed', medium: { kind: 'netboot', kernel: path, initrd: path } } as const;
    expect(hcl(await packerOrigin('debian-12', { base: netboot })).notCarried).toContainEqual(expect.stringContaining('initrd'));
  });

  test('of a medium that needs a login has no address of it', async () => {
    const text = textOf(hcl(await packerOrigin('rhel-9')), 'variables.pkr.hcl');
    expect(text).not.toContain('access.redhat.com');
    expect(text).toMatch(/variable "iso_url" {\n  type        = string\n  description/);
  });

  test.each(PACKER_RELEASES)('of %s has a source for each builder, answers, and scripts in order', async (id) => {
    const project = hcl(await packerOrigin(id, { packages: ['nginx'] }));
    for (const file of project.files) if (file.path.endsWith('.pkr.hcl')) expect(() => parseHcl(textOf(project, file.path)), file.path).not.toThrow();
    const served = project.files.filter(({ path }) => path.startsWith('http/'));
    expect(served.length).toBeGreaterThan(0);
    const qemu = textOf(project, 'qemu.pkr.hcl');
    expect(qemu).toMatch(/http:\/\/{{ \.HTTPIP }}:{{ \.HTTPPort }}/);
    expect(qemu).not.toContain('packer.invalid');
    expect(qemu).toMatch(/ssh_handshake_attempts = 100/);
    expect(textOf(project, 'variables.pkr.hcl')).toMatch(/default\s+= "30m"/);
    const scripts = [...textOf(project, 'build.pkr.hcl').matchAll(/scripts\/([\w.-]+)/g)].map(([, name]) => name);
    expect(scripts).toEqual(scripts.toSorted());
    expect(scripts[0]).toBe('00-wait.sh');
    expect(scripts.at(-1)).toBe('90-seal.sh');
    expect(scripts.some((name) => name?.endsWith('packages.sh'))).toBe(true);
    expect(textOf(project, 'scripts/20-packages.sh')).toContain('nginx');
  });

  test.each(PACKER_RELEASES)('of %s types what its medium wants', async (id) => {
    const [, typed = ''] = /boot_command += (\[[\s\S]*?\n {2}\]|\[.*\])/.exec(textOf(hcl(await packerOrigin(id)), 'qemu.pkr.hcl')) ?? [];
    expect(typed).toMatchSnapshot();
  });

  test('ends installations by starting again, which Packer waits for', async () => {
    for (const id of PACKER_RELEASES) {
      const project = hcl(await packerOrigin(id));
      const served = project.files.flatMap((file) =>
        file.path.startsWith('http/') && !file.path.endsWith('.gz') && 'content' in file ? [Buffer.from(file.content).toString()] : [],
      );
      expect(served.join('\n'), id).not.toMatch(/^poweroff$|shutdown: poweroff|exit\/poweroff boolean true|<halt [^>]*>true/m);
    }
  });

  test('in JSON has the same sources', async () => {
    const project = makeProject(await packerOrigin('debian-12'), { ...OPTIONS, format: 'json' });
    const paths = project.files.map(({ path }) => path);
    expect(paths.filter((path) => path.endsWith('.hcl'))).toEqual([]);
    expect(JSON.parse(textOf(project, 'qemu.pkr.json'))).toMatchObject({
      source: [{ qemu: { 'debian-12': { accelerator: '${var.accelerator}', ssh_pty: true } } }],
    });
    expect(JSON.parse(textOf(project, 'variables.pkr.json'))).toMatchObject({
      variable: expect.arrayContaining([{ cpus: expect.objectContaining({ type: 'number' }) }]),
    });
  });

  test('of a release whose name has a dot has sources that Packer can name', async () => {
    expect(textOf(hcl(await packerOrigin('ubuntu-24.04')), 'build.pkr.hcl')).toContain('"source.qemu.ubuntu-24-04"');
  });

  test('keeps secrets out of its files', async () => {
    const step: ResolvedStep = {
      kind: 'run',
      label: 'x',
      shell: 'sh',
      script: 'true\n',
      ...PROGRAM,
      secrets: { TOKEN: { secret: 'api-token', fingerprint: 'f' } },
    };
    const project = hcl(await packerOrigin('debian-12', { steps: [step] }));
    expect(textOf(project, 'build.pkr.hcl')).toContain('environment_vars = ["TOKEN=${var.secret_api_token}"]');
    expect(textOf(project, 'variables.pkr.hcl')).toMatch(/variable "secret_api_token" \{\n {2}type +=.*\n {2}description.*\n {2}sensitive/);
    expect(textOf(project, 'README.md')).toContain('PKR_VAR_secret_api_token');
    const holders = project.files.filter((file) => 'content' in file && Buffer.from(file.content).includes(PACKER_ACCOUNT.privateKey));
    expect(holders.map(({ path, mode }) => [path, mode])).toEqual([['build_key', 0o600]]);
  });

  test('says what it does not carry over', async () => {
    const { template } = await packerOrigin('debian-12');
    const project = hcl(
      await packerOrigin('debian-12', {
        tests: [{ port: 80, protocol: 'tcp' }],
        labels: { a: 'b' },
        disk: { ...template.disk, lvm: true },
      }),
    );
    expect(project.notCarried).toEqual([
      expect.stringMatching(/^its test is not run/),
      expect.stringMatching(/^its labels/),
      expect.stringMatching(/^its logical volumes/),
      expect.stringMatching(/^the small kernel/),
    ]);
    for (const text of project.notCarried) expect(textOf(project, 'README.md')).toContain(text);
  });

  test('that installs needs a medium; one that clones does not', async () => {
    const origin = await packerOrigin('debian-sid');
    expect(codeOf(() => hcl(origin))).toBe('packer-no-iso');
    expect(hcl(origin, ['proxmox-clone', 'cloudstack']).files.map(({ path }) => path)).not.toContain('variables.pkr.json');
  });

  test('from an image starts from its disk, and gives cloud-init the account', async () => {
    const origin: Origin = {
      ...(await packerOrigin('debian-12')),
      image: {
        reference: 'debian-12:latest',
        url: 'disk/debian-12.qcow2',
        checksum: `sha256:${'0'.repeat(64)}`,
      },
    };
    const project = hcl(origin, ['qemu']);
    expect(textOf(project, 'qemu.pkr.hcl')).toMatch(/disk_image +=\s+true/);
    expect(textOf(project, 'qemu.pkr.hcl')).toContain('ds=nocloud-net;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/');
    expect(textOf(project, 'http/user-data')).toContain(PACKER_ACCOUNT.publicKey);
  });
});

describe('scripts', () => {
  const owner = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const text = fc
    .array(fc.oneof(fc.constantFrom('EOT', '\n', "'", '"', '$x', '`', '\\', '\r', '${', '{{'), fc.string({ unit: 'grapheme', maxLength: 3 })))
    .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed());

  async function run(content: string): Promise<void> {
    await realHost().processes.run(['sh', '-c', content]);
  }

  test('files come out as they went in, whatever they hold', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ingot-'));
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(text, { minLength: 10, maxLength: 20 }), async (contents) => {
          const files = contents.map((content, i) => ({
            path: join(folder, `a b'${i}`),
            content,
            mode: '0640',
            owner,
          }));
          await run(script('a test', [putFiles(files)]));
          for (const { path, content } of files) expect(await readFile(path, 'utf8')).toBe(content);
          expect((await stat(files[0]?.path ?? '')).mode & 0o777).toBe(0o640);
        }),
        { numRuns: 4 },
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('a tree gets its modes, links and folders, and leaves folders that are there alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ingot-'));
    try {
      await realHost().processes.run(['mkdir', '-p', join(folder, 'up'), join(folder, 'to')]);
      await realHost().processes.run(['chmod', '0711', join(folder, 'to')]);
      await writeFile(join(folder, 'up', 'a b'), 'x');
      const entries = [
        { type: 'folder', path: '', mode: 0o755 },
        { type: 'file', path: 'a b', mode: 0o604, size: 1, sha256: '' },
        { type: 'folder', path: 'c', mode: 0o700 },
        { type: 'link', path: 'l', target: 'a b' },
      ] as const;
      await run(script('a test', [placeTree({ root: hostPath('/'), single: false, entries }, join(folder, 'to'), owner, join(folder, 'up'))]));
      expect(await readFile(join(folder, 'to', 'l'), 'utf8')).toBe('x');
      const mode = async (path: string): Promise<number> => (await stat(join(folder, 'to', path))).mode & 0o777;
      expect([await mode('a b'), await mode('c'), await mode('')]).toEqual([0o604, 0o700, 0o711]);
      await expect(stat(join(folder, 'up'))).rejects.toThrow('ENOENT');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("Packer's own templates leave two brackets alone", () => {
    expect(goText('a {{ .Path }}')).toBe('a {{`{{`}} .Path }}');
  });
});

describe('the folder', () => {
  const manifest = {
    name: 'web',
    release: 'debian-12',
    builders: ['qemu'],
    secrets: [],
  } satisfies Parameters<typeof writeFolder>[3]['manifest'];
  const file = (path: string, content: string): ProjectFile => ({ path, content, mode: 0o644 });

  test('appears whole, is not replaced without force, and force leaves files of others', async () => {
    await using at = await sampleHome();
    const folder = hostPath(join(at.home.root, 'out'));
    const write = (files: readonly ProjectFile[], force = false): Promise<void> =>
      writeFolder(at.host, at.home, folder, { manifest, force }, () => Promise.resolve(files));
    await write([file('a', '1'), file('sub/b', '1')]);
    expect(await at.host.files.list(folder)).toEqual(['a', 'ingot-packer.json', 'sub']);
    await expect(write([file('a', '2')])).rejects.toMatchObject({ code: 'packer-folder-exists' });
    await writeFile(join(folder, 'mine'), 'mine');
    await expect(write([file('mine', '2')], true)).rejects.toMatchObject({
      code: 'packer-file-foreign',
    });
    await write([file('a', '2'), file('c', '2')], true);
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('2');
    expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine');
    expect(await at.host.files.list(join(folder, 'sub'))).toEqual([]);
  });

  test('that is no export is not touched, not even with force', async () => {
    await using at = await sampleHome();
    const folder = hostPath(join(at.home.root, 'out'));
    await at.host.files.makeDirectory(folder);
    const write = (): Promise<void> => writeFolder(at.host, at.home, folder, { manifest, force: true }, () => Promise.resolve([file('a', '1')]));
    await writeFile(join(folder, 'x'), '');
    await expect(write()).rejects.toMatchObject({ code: 'packer-folder-foreign' });
    await writeFile(join(folder, 'ingot-packer.json'), '{"v":1,"files":["../../x"]}');
    await expect(write()).rejects.toMatchObject({ code: 'packer-folder-foreign' });
    await rm(join(folder, 'x'));
    await rm(join(folder, 'ingot-packer.json'));
    await write();
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('1');
  });

  test('is not there where making it fails', async () => {
    await using at = await sampleHome();
    const folder = hostPath(join(at.home.root, 'out'));
    const write = writeFolder(at.host, at.home, folder, { manifest, force: false }, () => Promise.reject(new Error('no')));
    await expect(write).rejects.toThrow('no');
    expect((await at.host.files.list(at.home.root)).filter((name) => name.includes('out'))).toEqual([]);
  });
});
