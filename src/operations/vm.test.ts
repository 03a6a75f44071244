import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Argv } from '../base/process.ts';
import { builtInSettings } from '../base/settings.ts';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { createVm } from '../platforms/local/create.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { vmViewSchema } from '../platforms/local/view.ts';
import type { Context } from './operation.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import imageList from './image-list.ts';
import vmCreate from './vm-create.ts';
import { laidOver, machineInput } from './vm-create-input.ts';
import vmDisk from './vm-disk.ts';
import vmExec from './vm-exec.ts';
import vmForward from './vm-forward.ts';
import vmList from './vm-list.ts';
import vmLogs from './vm-logs.ts';
import vmShow from './vm-show.ts';
import vmStop from './vm-stop.ts';

const PLAIN = { color: false, width: 80 };

/** The context that a front end gives; nobody answers, and what is attached ends with 7. */
function contextOf(lab: SampleLab): Context & { readonly written: string[]; readonly attached: Argv[] } {
  const [written, attached]: [string[], Argv[]] = [[], []];
  return {
    ...lab.context(),
    settings: builtInSettings(lab.context().home),
    ...UNATTENDED,
    consent: async () => false,
    attach: async (argv) => attached.push(argv) + 6,
    write: (text) => void written.push(text),
    written,
    attached,
  };
}

test('create, list and show agree', async () => {
  await using lab = await sampleLab();
  const context = contextOf(lab);
  expect(vmList.render?.(await vmList.run({ all: false }, context), PLAIN)).toContain('There is no VM yet');
  const made = vmViewSchema.parse(await vmCreate.run(vmCreate.input.parse({ name: 'web', image: 'debian-12', memory: '512MiB', start: false }), context));
  expect(vmCreate.output.parse(made)).toMatchObject({ name: 'web', state: 'stopped', memory: 2 ** 29, disk: 10 * 2 ** 30, cpus: 2, firmware: 'bios' });
  expect(await vmList.run({ all: false }, context)).toEqual([made]);
  expect(await vmShow.run({ name: 'web' }, context)).toMatchObject({ ...made, folder: lab.home.home.vm(newVm('web').name) });
  const [header, row] = (vmList.render?.([made], PLAIN) ?? '').split('\n');
  expect(header?.indexOf('IMAGE')).toBe(row?.indexOf('debian-12'));
  expect(row).toMatch(/^web\s+stopped\s+debian-12\s+2\s+512 MiB\s+10 GiB\s+debian@127\.0\.0\.1:\d+$/);
});

test('names that are no names are refused before anything is done', async () => {
  await using lab = await sampleLab();
  const context = contextOf(lab);
  for (const name of ['a/b', '-x', '..', 'Web', 'a'.repeat(64), 'x-']) {
    await expect(vmCreate.run(vmCreate.input.parse({ name, image: 'debian-12', start: false }), context)).rejects.toMatchObject({ code: 'name-invalid' });
  }
  expect(await lab.host.files.list(lab.home.home.vms)).toEqual([]);
});

describe('the image of a VM', () => {
  const create = async (lab: SampleLab, input: object): Promise<unknown> =>
    await vmCreate.run(
      vmCreate.input.parse({ name: 'web', start: false, ...input }),
      contextOf({ ...lab, host: { ...lab.host, machine: { ...lab.host.machine, arch: 'amd64' } } }),
    );

  test('is that of the default release, and a line says so', async () => {
    await using lab = await sampleLab();
    expect(await create(lab, {})).toMatchObject({ name: 'web', image: { reference: 'debian-12', digest: lab.image.digest }, cpus: 2, memory: 2 ** 30 });
    expect(lab.messages).toContain('Image debian-12: it is the image of debian-12');
  });

  test('is explained without making anything', async () => {
    await using lab = await sampleLab();
    const explained = vmCreate.output.parse(await create(lab, { role: ['docker'], explain: true }));
    expect(explained).toMatchObject({ explained: { action: 'build', image: 'debian-12-docker', command: 'ingot build debian-12 --role docker' } });
    const text = vmCreate.render?.(explained, PLAIN) ?? '';
    expect(text).toMatch(/^debian-12-docker would be built: no image in the store has exactly the role docker on debian-12\n/);
    expect(text).toMatch(/debian-12 +store +no +it lacks the role docker/);
    expect(vmCreate.render?.(vmCreate.output.parse(await create(lab, { image: 'nope', explain: true })), PLAIN)).toContain('There is no image nope');
    expect(await lab.host.files.list(lab.home.home.vms)).toEqual([]);
  });

  test('is not built where that is not wanted, nor where the name is taken', async () => {
    await using lab = await sampleLab();
    await expect(create(lab, { role: ['docker'], build: false })).rejects.toMatchObject({
      code: 'image-not-built',
      hint: expect.stringContaining('`ingot build debian-12 --role docker`'),
    });
    await expect(create(lab, { image: 'debian-12', role: ['docker'] })).rejects.toMatchObject({ code: 'image-unfit' });
    await create(lab, {});
    await expect(create(lab, { role: ['docker'] })).rejects.toMatchObject({ code: 'vm-exists' });
  });

  test('and its size come from a profile where no flag says them', async () => {
    await using lab = await sampleLab();
    expect(await create(lab, { profile: 'small', memory: '1GiB' })).toMatchObject({ cpus: 1, memory: 2 ** 30, disk: 10 * 2 ** 30 });
    await expect(create(lab, { name: 'db', profile: 'smal' })).rejects.toMatchObject({ code: 'profile-unknown' });
  });

  test('is the same for many, which `image list` counts', async () => {
    await using lab = await sampleLab();
    const made = vmCreate.output.parse(await create(lab, { count: 2 }));
    expect(made).toMatchObject({ vms: [{ name: 'web-1' }, { name: 'web-2' }] });
    expect(vmCreate.render?.(made, PLAIN).split('\n')).toHaveLength(2);
    expect((await imageList.run(imageList.input.parse({}), contextOf(lab))).images).toMatchObject([{ name: 'debian-12', vms: ['web-1', 'web-2'] }]);
  });
});

test('a flag wins over the profile, and --image or --role over both its image and its roles', () => {
  const flags = (given: object) => z.object(machineInput).parse(given);
  const profile = { cpus: 4, disk: '20GiB', image: 'web', roles: ['docker'], release: 'debian-13' };
  expect(laidOver(flags({}), profile)).toEqual({ image: 'web', roles: ['docker'], release: 'debian-13', cpus: 4, memory: 2 ** 30, disk: 20 * 2 ** 30 });
  expect(laidOver(flags({ role: ['redis'], cpus: 1 }), profile)).toMatchObject({ image: undefined, roles: ['redis'], cpus: 1 });
  expect(laidOver(flags({ image: 'db', disk: '1GiB', release: 'debian-12' }), profile)).toMatchObject({
    image: 'db',
    roles: [],
    disk: 2 ** 30,
    release: 'debian-12',
  });
});

describe('sizes', () => {
  test.each([
    ['memory', '32MiB', 'it is below 64 MiB'],
    ['memory', 'much', 'Write a number and a unit: 10GiB, 512MiB.'],
    ['disk', '-1', 'Write a number and a unit: 10GiB, 512MiB.'],
  ])('--%s %s is refused', (key, text, message) => {
    const parsed = vmCreate.input.safeParse({ name: 'web', image: 'debian-12', [key]: text });
    expect(parsed.error?.issues).toMatchObject([{ path: [key], message }]);
  });
});

test("the user's cloud-init data must be there", async () => {
  await using lab = await sampleLab();
  const input = vmCreate.input.parse({ name: 'web', image: 'debian-12', start: false, userData: '/nowhere/user-data' });
  await expect(vmCreate.run(input, contextOf(lab))).rejects.toMatchObject({ code: 'file-missing' });
});

describe('what is asked for more', () => {
  test('ports and disks are shown, and changed later', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    const input = { name: 'web', image: 'debian-12', start: false, forward: ['29860:80'], extraDisk: ['data=2GiB'] };
    const made = await vmCreate.run(vmCreate.input.parse(input), context);
    expect(vmCreate.output.parse(made)).toMatchObject({ forwards: [{ host: 29_860 }], extraDisks: [{ name: 'data', size: 2 ** 31 }], shares: [], tpm: false });
    expect(vmCreate.render?.(made, PLAIN)).toContain('Port 127.0.0.1:29860 -> 80 (tcp)');
    const forward = (action: string, ...texts: string[]) => vmForward.run(vmForward.input.parse({ name: 'web', action, forward: texts }), context);
    expect((await forward('add', 'udp:29860:53')).forwards).toHaveLength(2);
    expect(vmForward.render?.(await forward('remove', '80'), PLAIN)).toBe('127.0.0.1:29860 -> 53 (udp)');
    await expect(forward('remove')).rejects.toMatchObject({ code: 'forward-missing' });
    const disk = (action: string, text?: string) => vmDisk.run(vmDisk.input.parse({ name: 'web', action, disk: text }), context);
    expect(vmDisk.render?.(await disk('add', 'logs=1GiB'), PLAIN)).toMatch(/logs +1\.0 GiB\nweb sees it when it is started the next time\.$/);
    expect((await disk('remove', 'data')).disks.map(({ name }) => name)).toEqual(['root', 'logs']);
    await expect(disk('add')).rejects.toMatchObject({ code: 'disk-missing' });
  });

  test('a password that is no password is told without it', async () => {
    await using lab = await sampleLab();
    const context = { ...contextOf(lab), standardInput: () => Promise.resolve(Buffer.from('two\nlines\n')) };
    const input = vmCreate.input.parse({ name: 'web', image: 'debian-12', start: false, passwordLogin: true });
    await expect(vmCreate.run(input, context)).rejects.toMatchObject({ code: 'password-invalid', message: expect.not.stringContaining('lines') });
  });

  test('files for cloud-init and keys are looked at first', async () => {
    await using lab = await sampleLab();
    const file = `${lab.home.home.root}/file`;
    await lab.host.files.write(file, 'neither\n');
    const create = (more: object) => vmCreate.run(vmCreate.input.parse({ name: 'web', image: 'unknown', start: false, ...more }), contextOf(lab));
    await expect(create({ userData: file })).rejects.toMatchObject({ code: 'user-data-invalid' });
    await expect(create({ vendorData: file })).rejects.toMatchObject({ code: 'vendor-data-invalid' });
    await expect(create({ networkConfig: file })).rejects.toMatchObject({ code: 'network-config-invalid' });
    await expect(create({ sshKey: [file] })).rejects.toMatchObject({ code: 'ssh-key-invalid' });
    await expect(create({ userData: lab.home.home.root })).rejects.toMatchObject({ code: 'file-is-folder' });
  });

  test.each([
    ['forward', ['0:80'], /^Write HOST:GUEST/],
    ['extraDisk', ['root=1GiB'], /^Every VM has a disk of that name/],
  ])('--%s %s is refused with what to write', (key, words, message) => {
    const parsed = vmCreate.input.safeParse({ name: 'web', image: 'debian-12', [key]: words });
    expect(parsed.error?.issues).toMatchObject([{ path: [key, 0], message: expect.stringMatching(message) }]);
  });
});

describe('a VM that does not run', () => {
  test('cannot be logged in to, and says how to start it', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    await createVm(context, newVm('web'));
    const run = vmExec.run(vmExec.input.parse({ name: 'web', command: ['true'] }), context);
    await expect(run).rejects.toMatchObject({ code: 'vm-not-running', hint: 'Start it with `ingot vm start web`.' });
    expect(context.attached).toEqual([]);
  });

  test('is stopped already', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    const result = await vmStop.run(vmStop.input.parse({ name: 'web' }), contextOf(lab));
    expect(result).toMatchObject({ result: 'not-running' });
    expect(vmStop.render?.(result, PLAIN)).toBe('web was not running.');
  });

  test('still shows what it wrote', async () => {
    await using lab = await sampleLab();
    const context = contextOf(lab);
    const vm = newVm('web');
    await createVm(context, vm);
    await lab.host.files.write(guestFiles(lab.home.home.vm(vm.name)).console, 'one\r\ntwo\r\n\u001B[1mthree\u001B[0m\r\n');
    await vmLogs.run(vmLogs.input.parse({ name: 'web', lines: 2 }), context);
    expect(context.written.join('')).toBe('two\nthree\n');
    await vmLogs.run(vmLogs.input.parse({ name: 'web', follow: true }), context);
    expect(context.written.join('')).toBe('two\nthree\none\ntwo\nthree\n');
  });
});

test('the exit code of a command is the exit code of ingot', () => {
  expect(vmExec.exitCode?.({ exitCode: 42 })).toBe(42);
});
