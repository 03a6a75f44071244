import { describe, expect, test } from 'vitest';
import { builtInSettings } from '../base/settings.ts';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { createVm } from '../platforms/local/create.ts';
import type { Context } from './operation.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import vmExport from './vm-export.ts';

function contextOf(lab: SampleLab, free?: number): Context {
  const host = free === undefined ? lab.host : { ...lab.host, files: { ...lab.host.files, freeSpace: () => Promise.resolve(free) } };
  return {
    ...lab.context(host),
    settings: builtInSettings(lab.home.home),
    ...UNATTENDED,
    consent: async () => false,
  };
}
const run = (context: Context, more: Readonly<Record<string, unknown>> = {}): Promise<unknown> =>
  vmExport.run(vmExport.input.parse({ name: 'web', as: 'my-image', ...more }), context);

describe('what is asked for', () => {
  test.each([
    [{ seal: false, gate: 'full' }, 'seal-needed'],
    [{ stop: true, crashConsistent: true }, 'flags-contradict'],
    [{ snapshot: 'one', stop: true }, 'flags-contradict'],
    [{ as: 'No Name' }, 'name-invalid'],
    [{ tag: '-x' }, 'reference-invalid'],
    [{ name: 'other' }, 'vm-unknown'],
    [{ snapshot: 'one' }, 'snapshot-unknown'],
    [{ as: 'debian-12', tag: 'latest' }, 'tag-taken'],
  ])('%o is refused before anything is done', async (input, code) => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('web'));
    const ran = lab.ran.length;
    await expect(run(contextOf(lab), input)).rejects.toMatchObject({ code });
    expect(lab.ran).toHaveLength(ran);
    expect(await lab.host.files.list(lab.home.home.frozen)).toEqual([]);
    expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
  });
});

test('too little space is told with the sum, before anything is done', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  await expect(run(contextOf(lab, 2 ** 20))).rejects.toMatchObject({
    code: 'export-no-space',
    message: expect.stringMatching(/needs up to 25\d MiB in .*, which has 1\.0 MiB free/),
  });
  expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
});

test('an image that is gone is told, with what brings it back', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  for (const { digest } of lab.image.layers) await lab.host.files.remove(lab.home.home.blob(digest));
  await expect(run(contextOf(lab))).rejects.toMatchObject({ code: 'image-gone', hint: expect.stringContaining('load the same image again') });
});
