import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { templateFolder, type TemplateFolder } from '../../../../tests/support/templates.ts';
import { IngotError } from '../../../base/errors.ts';
import type { Argv, CommandOptions } from '../../../base/process.ts';
import { hostPath } from '../../../base/types.ts';
import type { Context } from '../../../operations/operation.ts';
import { buildWithPacker } from './build.ts';
import { copyFolder } from './copy-folder.ts';
import { readEvent } from './machine-readable.ts';
import { runPacker, type PackerArtifact } from './run-packer.ts';

test('lines for machines', () => {
  expect(readEvent('1795952923,,ui,say,==> qemu.a: Waiting%!(PACKER_COMMA) for SSH\\n...')).toEqual({ kind: 'say', text: '==> qemu.a: Waiting, for SSH\n...' });
  expect(readEvent('1,,ui,error,\u001b[1;31mno\u001b[0m')).toEqual({ kind: 'error', text: 'no' });
  expect(readEvent('1,qemu.a,artifact,0,builder-id,transcend.qemu')).toEqual({ kind: 'artifact', build: 'qemu.a', index: 0, builder: 'transcend.qemu' });
  expect(readEvent('1,qemu.a,artifact,0,file,0,output/a%!(PACKER_COMMA)b.qcow2')).toEqual({
    kind: 'artifact',
    build: 'qemu.a',
    index: 0,
    file: 'output/a,b.qcow2',
  });
  for (const line of ['', 'Error: x', '1,,version,1.6.6', '1,qemu.a,artifact,x,file']) expect(readEvent(line)).toBeUndefined();
});

interface Pretended {
  readonly version?: string;
  readonly lines: readonly string[];
  readonly fails?: boolean;
}

/** A host on which Packer prints lines; what was run, and with what environment. */
async function pretend({
  version = '1.6.6',
  lines,
  fails = false,
}: Pretended): Promise<{ at: TemplateFolder; context: Context; ran: { argv: Argv; options: CommandOptions | undefined }[] }> {
  const at = await templateFolder({ 'bin/packer': '' });
  const ran: { argv: Argv; options: CommandOptions | undefined }[] = [];
  const host: Context['host'] = {
    ...at.host,
    env: { PATH: `/nowhere:${join(at.folder, 'bin')}`, INGOT_SECRET_X: 'hidden', HTTP_PROXY: 'p' },
    processes: {
      ...at.host.processes,
      run(argv, options) {
        if (argv[1] === 'version') return Promise.resolve({ stdout: `Packer v${version}\n`, stderr: '', exitCode: 0 });
        ran.push({ argv, options });
        for (const line of lines) options?.onLine?.(line, 'stdout');
        if (fails) return Promise.reject(new IngotError('command', 'command-failed', 'packer ended with exit code 1'));
        return Promise.resolve({ stdout: '', stderr: '', exitCode: 0 });
      },
    },
  };
  return { at, context: { ...at.context, host }, ran };
}

const RUN = { only: ['qemu.web'], variables: ['a=b'], defaults: { PKR_VAR_accelerator: 'tcg' }, secrets: [] } as const;

async function run({ at, context }: Awaited<ReturnType<typeof pretend>>): Promise<PackerArtifact[]> {
  return await context.events.stage('test', (span) => runPacker(context, { ...RUN, folder: at.folder, scratch: hostPath(join(at.home.root, 'run')) }, span));
}

test('Packer is run in the folder, and what it makes is told', async () => {
  const pretended = await pretend({
    lines: [
      '1,,ui,say,==> qemu.web: Starting...',
      '1,qemu.web,artifact,0,builder-id,transcend.qemu',
      '1,qemu.web,artifact,0,file,0,out/a.qcow2',
      '1,qemu.web,artifact,0,end',
    ],
  });
  await using at = pretended.at;
  expect(await run(pretended)).toEqual([{ build: 'qemu.web', builder: 'transcend.qemu', files: ['out/a.qcow2'] }]);
  const [first] = pretended.ran;
  if (first === undefined) throw new Error('nothing was run');
  const { argv, options } = first;
  expect(argv.slice(argv.indexOf(join(at.folder, 'bin', 'packer')))).toEqual([
    join(at.folder, 'bin', 'packer'),
    'build',
    '-machine-readable',
    '-color=false',
    '-only=qemu.web',
    '-var',
    'a=b',
    '.',
  ]);
  expect(options?.cwd).toBe(at.folder);
  expect(options?.env).toMatchObject({ HTTP_PROXY: 'p', PKR_VAR_accelerator: 'tcg', CHECKPOINT_DISABLE: '1' });
  expect(Object.keys(options?.env ?? {}).filter((name) => name.startsWith('INGOT_'))).toEqual([]);
  expect(at.events.some((event) => event.type === 'span-progress' && event.note === 'Starting')).toBe(true);
});

test('a name that no build has is told, since Packer ends well', async () => {
  const pretended = await pretend({ lines: [] });
  await using _at = pretended.at;
  await expect(run(pretended)).rejects.toMatchObject({ code: 'packer-no-build', message: 'Packer has built nothing by the name qemu.web' });
});

test('its own words are the error', async () => {
  const pretended = await pretend({ lines: ['Error: Unknown thing', '1,,ui,error,==> qemu.web: Timeout waiting for SSH.'], fails: true });
  await using _at = pretended.at;
  await expect(run(pretended)).rejects.toMatchObject({
    code: 'packer-failed',
    message: 'Packer 1.6.6 failed: Timeout waiting for SSH',
    detail: expect.stringContaining('Error: Unknown thing'),
  });
});

test('an error of a list is told, not their number', async () => {
  const pretended = await pretend({
    lines: ['1,,ui,error,Error: 1 error(s) occurred:\\n\\n* Error downloading checksum file: no such host\\n\\n  on qemu.pkr.hcl line 32:'],
    fails: true,
  });
  await using _at = pretended.at;
  await expect(run(pretended)).rejects.toMatchObject({
    code: 'packer-failed',
    message: 'Packer 1.6.6 failed: Error downloading checksum file: no such host',
    hint: expect.stringContaining('iso_url'),
  });
});

test('no Packer, another program of that name, and one that is too old', async () => {
  const none = await pretend({ lines: [] });
  await using at = none.at;
  await expect(
    run({
      ...none,
      context: { ...none.context, host: { ...none.context.host, env: {}, files: { ...at.host.files, resolveLinks: () => Promise.resolve(undefined) } } },
    }),
  ).rejects.toMatchObject({
    code: 'packer-missing',
  });
  const other = await pretend({ version: 'x', lines: [] });
  await using _other = other.at;
  // Only the folder of this test is looked at, whatever the host has.
  const files = { ...other.at.host.files, resolveLinks: (path: string) => Promise.resolve(path.startsWith(other.at.folder) ? path : undefined) };
  await expect(run({ ...other, context: { ...other.context, host: { ...other.context.host, files } } })).rejects.toMatchObject({ code: 'packer-missing' });
  const old = await pretend({ version: '1.4.5', lines: [] });
  await using _old = old.at;
  await expect(run(old)).rejects.toMatchObject({ code: 'packer-old' });
});

test('a folder that Packer reads nothing of is refused, with a word on templates of the old kind', async () => {
  const pretended = await pretend({ lines: [] });
  await using at = pretended.at;
  await at.write({ 'old.json': '{}' });
  const build = buildWithPacker(pretended.context, { kind: 'folder', folder: at.folder }, { only: [], variables: [], offline: true, force: false });
  await expect(build).rejects.toMatchObject({ code: 'packer-folder-unfit', hint: expect.stringContaining('hcl2_upgrade') });
});

test('a folder is copied as it is, without what earlier builds left', async () => {
  await using at = await templateFolder({ 'p/a.pkr.hcl': 'x', 'p/output-web/disk': 'x', 'p/packer_cache/iso': 'x', 'p/sub/b': 'y' });
  const [from, to] = [join(at.folder, 'p'), join(at.folder, 'q')];
  await mkdir(join(from, 'empty'));
  await symlink('a.pkr.hcl', join(from, 'l'));
  await writeFile(join(from, 'run.sh'), '', { mode: 0o755 });
  await copyFolder(at.host.files, from, to);
  expect(await at.host.files.list(to)).toEqual(['a.pkr.hcl', 'empty', 'l', 'run.sh', 'sub']);
  expect(await at.host.files.readLink(join(to, 'l'))).toBe('a.pkr.hcl');
  expect(((await at.host.files.status(join(to, 'run.sh')))?.mode ?? 0) & 0o777).toBe(0o755);
});
