import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PACKER_ACCOUNT, PACKER_RELEASES, packerOrigin } from '../../../../tests/support/packer-origin.ts';
import { failureOf, problemsOf, templateFolder, type TemplateFolder } from '../../../../tests/support/templates.ts';
import { releases, shippedCatalog } from '../../../catalog/catalog.ts';
import type { ResolvedStep } from '../../../template/template.ts';
import { BUILDER_NAMES } from '../export/builders/builders.ts';
import { makeProject } from '../export/make-project.ts';
import { RUN_HEADERS } from '../export/pieces.ts';
import { releaseOfName } from './find-release.ts';
import { fileFinder, importTemplate, templateText, type ImportedTemplate } from './import.ts';
import { readPackerTemplate, templateFiles } from './read.ts';

async function imported(at: TemplateFolder, path = '', variables: Record<string, string> = {}): Promise<ImportedTemplate> {
  const paths = await templateFiles(at.host, join(at.folder, path));
  const find = fileFinder(at.host, at.folder, join(at.folder, 'web.yaml'));
  return await importTemplate(await readPackerTemplate(at.host, paths), { variables, releases: releases(await shippedCatalog()), name: 'web', find });
}

const notesOf = ({ notes }: ImportedTemplate): string[] => notes.map(({ place, message }) => `${place.line}:${place.column} ${message}`);

const SHOP = `variable "release" { default = "1.0" }
variable "licence" { sensitive = true }
variable "unset" {}
locals { tag = "v\${var.release}" }
source "qemu" "shop" {
  iso_url      = "https://example.org/debian-12.9.0-amd64-netinst.iso"
  iso_checksum = "none"
  disk_size    = "8192"
  memory       = 2048
  ssh_username = "debian"
  cd_files     = ["x"]
}
source "docker" "d" { image = "x" }
build {
  sources = ["source.qemu.shop", "source.docker.d"]
  provisioner "shell" {
    inline           = ["echo \${local.tag} {{ x }}"]
    environment_vars = ["A=b=c", "KEY=\${var.licence}"]
    timeout          = "1h5m"
  }
  provisioner "shell" {
    inline = ["echo \${var.unset}"]
  }
  provisioner "shell" {
    only   = ["docker.d"]
    inline = ["not for this one"]
  }
  provisioner "shell" {
    scripts         = ["s/run.sh", "s/none.sh"]
    execute_command = "sudo env {{ .Vars }} '{{ .Path }}' one 'two three'"
  }
  provisioner "file" {
    source      = "site/"
    destination = "/srv/site"
  }
  provisioner "file" {
    content     = "hi"
    destination = "/tmp/x"
  }
  provisioner "breakpoint" {}
  post-processor "checksum" {}
}
`;

const FILES = { 'shop.pkr.hcl': SHOP, 's/run.sh': '#!/bin/sh\n', 'site/index.html': 'hi' };

describe('import', () => {
  test('what carries over, and the place of what does not', async () => {
    await using at = await templateFolder(FILES);
    const found = await imported(at, 'shop.pkr.hcl');
    expect(found.template).toEqual({
      name: 'shop',
      from: 'debian-12',
      disk: { size: '8GiB' },
      steps: [
        { run: 'echo v1.0 \\{{ x }}\n', env: { A: 'b=c' }, secrets: { KEY: 'licence' }, network: true, timeout: '3900s' },
        { script: 's/run.sh', arguments: ['one', 'two three'], network: true },
        { script: 's/none.sh', arguments: ['one', 'two three'], network: true },
        { copy: 'site', to: '/srv/site' },
        { file: '/tmp/x', content: 'hi' },
      ],
    });
    expect(notesOf(found)).toEqual([
      expect.stringMatching(/^9:3 memory = 2048 is said when a machine is made/),
      '11:3 cd_files of qemu has no counterpart',
      expect.stringMatching(/^13:1 the source docker\.d/),
      expect.stringMatching(/^18:5 the value of KEY comes from a secret/),
      expect.stringMatching(/^21:3 the whole step is left out/),
      expect.stringMatching(/^22:23 inline uses the variable unset, which has no default/),
      '29:5 there is no file s/none.sh',
      expect.stringMatching(/^38:5 \/tmp\/x is empty again/),
      '40:3 the provisioner breakpoint has no counterpart',
      expect.stringMatching(/^41:3 the post-processor checksum:/),
    ]);
    expect((await imported(at, 'shop.pkr.hcl', { unset: 'x' })).template).toMatchObject({
      steps: expect.arrayContaining([{ run: 'echo x\n', network: true }]),
    });
  });

  test('the JSON of before, with tabs', async () => {
    const old = {
      variables: { v: '1', token: '' },
      'sensitive-variables': ['token'],
      builders: [{ type: 'proxmox-iso', iso_file: 'local:iso/AlmaLinux-9.4-x86_64-dvd.iso', disks: [{ disk_size: '12G' }], cores: '{{ user `v` }}' }],
      provisioners: [{ type: 'shell', inline: ['echo {{user `v`}}'], environment_vars: ['T={{user `token`}}'] }],
      'post-processors': ['compress'],
    };
    await using at = await templateFolder({ 'old.json': JSON.stringify(old, undefined, '\t') });
    const { template } = await imported(at, 'old.json');
    expect(template).toMatchObject({ from: 'almalinux-9', disk: { size: '12GiB' }, steps: [{ run: 'echo 1\n', secrets: { T: 'token' } }] });
  });

  test('faults of every file, each at its line', async () => {
    await using at = await templateFolder({ 'a.pkr.hcl': 'source "qemu" "a" {\n  x = \n}\n', 'b.pkr.json': '{\n  "build": [1,\n' });
    expect(await problemsOf(imported(at))).toEqual([
      expect.stringMatching(/a\.pkr\.hcl:2:7 has the end of the line where a value/),
      expect.stringMatching(/b\.pkr\.json:3:1 has the end of the file/),
    ]);
  });

  test('a template without a source that becomes an image is refused', async () => {
    await using at = await templateFolder({ 'a.pkr.hcl': 'source "amazon-ebs" "a" {}\nbuild { sources = ["source.amazon-ebs.a"] }\n' });
    await expect(imported(at)).rejects.toMatchObject({ code: 'packer-source-unsupported', message: expect.stringContaining('amazon-ebs.a') });
    await expect(imported(at, 'none.pkr.hcl')).rejects.toMatchObject({ code: 'packer-template-missing' });
  });

  test('a value for a variable that the template does not know is refused; one that it uses undeclared is taken', async () => {
    await using at = await templateFolder({
      'a.pkr.hcl': 'variable "disk" { default = "8G" }\nsource "qemu" "a" {\n  iso_url = var.url\n  disk_size = var.disk\n}\n',
    });
    expect(await failureOf(imported(at, '', { dsk: '9G' }))).toMatchObject({ code: 'packer-variable-unknown', hint: 'Did you mean disk?' });
    const { template } = await imported(at, '', { url: 'https://x/debian-12.9.0-amd64-netinst.iso', disk: '9G' });
    expect(template).toMatchObject({ from: 'debian-12', disk: { size: '9GiB' } });
  });

  test('variables that are made of themselves end', async () => {
    await using at = await templateFolder({ 'a.pkr.hcl': 'locals {\n  a = local.b\n  b = local.a\n}\nsource "qemu" "a" { iso_url = local.a }\n' });
    expect(notesOf(await imported(at)).join('\n')).toContain('which is made of itself');
  });

  test.each([
    ['https://releases.ubuntu.com/noble/ubuntu-24.04.1-live-server-amd64.iso', 'ubuntu-24.04'],
    ['https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64.img', 'ubuntu-22.04'],
    ['https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2', 'debian-12'],
    ['local:iso/debian-13.1.0-amd64-netinst.iso', 'debian-13'],
    ['https://x/AlmaLinux-9.4-x86_64-boot.iso', 'almalinux-9'],
    ['https://x/Rocky-9.5-x86_64-minimal.iso', 'rocky-9'],
    ['https://x/Fedora-Server-netinst-x86_64-42-1.1.iso', 'fedora-42'],
    ['https://x/openSUSE-Leap-15.6-DVD-x86_64-Media.iso', 'opensuse-leap-15.6'],
    ['https://x/iso/2025.04.01/archlinux-2025.04.01-x86_64.iso', 'arch'],
    ['https://x/alpine-virt-3.22.1-x86_64.iso', 'alpine-3.22'],
    ['my-golden-image', undefined],
  ])('%s is of %s', async (text, id) => {
    expect(releaseOfName(text, releases(await shippedCatalog()))?.id).toBe(id);
  });
});

describe('there and back', () => {
  const text = fc
    .array(fc.oneof(fc.constantFrom('${x}', '%{y}', '{{ z }}', '{{`', "'", '"', '\\', '\n', '\t', '$', '#'), fc.stringMatching(/^[a-z ]{1,5}$/)))
    .map((parts) => `:${parts.join('')}`);
  const environment = fc.dictionary(fc.stringMatching(/^[A-Z][A-Z_]{0,5}$/), text, { maxKeys: 2 });
  const program = { secrets: {}, network: true, maxAge: 604_800, booted: false, timeout: 1800 };
  const step: fc.Arbitrary<ResolvedStep> = fc.oneof(
    fc
      .record({ env: environment, script: text, shell: fc.constantFrom('sh' as const, 'bash' as const) })
      .map(({ env, script, shell }) => ({ kind: 'run' as const, label: 'a step', shell, script: `${script}\n`, ...program, env })),
    fc.record({ env: environment, words: fc.array(text, { maxLength: 2 }), content: text }).map(({ env, words, content }) => ({
      kind: 'script' as const,
      label: 'a program',
      fileName: 'do it.sh',
      content: Buffer.from(`#!/bin/sh\n${content}`).toString('base64'),
      arguments: words,
      ...program,
      env,
    })),
  );

  test('what a template says is said by what comes back: release, disk, programs, their arguments and environment', { timeout: 60_000 }, async () => {
    await using at = await templateFolder({});
    let count = 0;
    const property = fc.asyncProperty(
      fc.constantFrom(...PACKER_RELEASES),
      fc.integer({ min: 10, max: 64 }),
      fc.array(step, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('hcl' as const, 'json' as const),
      async (id, size, steps, format) => {
        const folder = `${count++}`;
        const origin = await packerOrigin(id, { steps, disk: { size: size * 2 ** 30, filesystem: 'ext4' } });
        const { files } = makeProject(origin, { builders: BUILDER_NAMES, account: PACKER_ACCOUNT, format });
        for (const file of files) {
          if (!('content' in file)) continue;
          await mkdir(dirname(join(at.folder, folder, file.path)), { recursive: true });
          await writeFile(join(at.folder, folder, file.path), file.content);
        }
        const find = fileFinder(at.host, join(at.folder, folder), join(at.folder, folder, 'back.yaml'));
        const packer = await readPackerTemplate(at.host, await templateFiles(at.host, join(at.folder, folder)));
        const back = await importTemplate(packer, { variables: {}, releases: releases(await shippedCatalog()), name: 'back', find });
        await writeFile(join(at.folder, folder, 'back.yaml'), templateText(back, folder));
        // As ingot itself reads it, with every escape undone.
        const { template } = await at.load({}, `${folder}/back.yaml`);
        expect(template.from).toBe(id);
        expect(template.disk?.size).toBe(`${size}GiB`);
        const own = template.steps.flatMap((each) => ('script' in each && /\/2\d-/.test(each.script) ? [each] : []));
        expect(own).toHaveLength(steps.length);
        for (const [i, wanted] of steps.entries()) {
          const found = own[i];
          if (found === undefined || (wanted.kind !== 'run' && wanted.kind !== 'script')) throw new Error('a step is missing');
          expect(found.env).toEqual(wanted.env);
          expect(found.arguments).toEqual(wanted.kind === 'script' ? wanted.arguments : []);
          const content = Buffer.from(await at.host.files.read(join(at.folder, folder, found.script))).toString();
          expect(content).toBe(wanted.kind === 'run' ? `${RUN_HEADERS[wanted.shell]}${wanted.script}` : Buffer.from(wanted.content, 'base64').toString());
        }
      },
    );
    await fc.assert(property, { numRuns: 8 });
  });
});
