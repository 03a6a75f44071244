import { describe, expect, test } from 'vitest';
import type { Argv } from '../base/process.ts';
import { builtInSettings } from '../base/settings.ts';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { createVm } from '../platforms/local/create.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { vmViewSchema } from '../platforms/local/view.ts';
import type { Context } from './operation.ts';
import vmCreate from './vm-create.ts';
import vmExec from './vm-exec.ts';
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
    verbose: false,
    consent: async () => false,
    askHidden: () => Promise.resolve(''),
    standardInput: () => Promise.resolve(undefined),
    attach: async (argv) => attached.push(argv) + 6,
    write: (text) => void written.push(text),
    written,
    attached,
  };
}

test('create, list and show agree', async () => {
  await using lab = await sampleLab();
  const context = contextOf(lab);
  expect(vmList.render?.(await vmList.run({}, context), PLAIN)).toContain('There is no VM yet');
  const made = vmViewSchema.parse(await vmCreate.run(vmCreate.input.parse({ name: 'web', image: 'debian-12', memory: '512MiB', start: false }), context));
  expect(vmCreate.output.parse(made)).toMatchObject({ name: 'web', state: 'stopped', memory: 2 ** 29, disk: 10 * 2 ** 30, cpus: 2, firmware: 'bios' });
  expect(await vmList.run({}, context)).toEqual([made]);
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
