import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sampleLab } from '../../../tests/support/lab.ts';
import { runningVm } from '../../../tests/support/running-vm.ts';
import { hostPath } from '../../base/types.ts';
import { pngSize, takeScreenshot } from './screenshot.ts';

const PICTURE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAtAAAAGQ', 'base64');

test('the size is read from the picture, and what is none is refused', () => {
  expect(pngSize(PICTURE)).toEqual({ width: 720, height: 400 });
  for (const bytes of [Buffer.from('P6\n720 400\n255\n0000000000'), PICTURE.subarray(0, 20)]) {
    expect(() => pngSize(bytes)).toThrowError(expect.objectContaining({ code: 'screenshot-damaged' }));
  }
});

test('the picture appears when it is whole, and replaces nothing unasked', async () => {
  await using lab = await sampleLab();
  const { writeFileSync } = await import('node:fs');
  const target = hostPath(join(lab.home.home.root, 'screen.png'));
  let content: Uint8Array = PICTURE;
  await using vm = await runningVm(lab, 'web', {
    monitor: (command, parameters) => {
      if (command === 'screendump') writeFileSync(String(parameters['filename']), content);
      return {};
    },
  });
  expect(await takeScreenshot(vm.context, vm.name, target, { force: false })).toEqual({ width: 720, height: 400 });
  expect((await lab.host.files.status(target))?.mode).toBe(0o644);
  await expect(takeScreenshot(vm.context, vm.name, target, { force: false })).rejects.toMatchObject({ code: 'file-exists' });
  content = Buffer.from('no picture');
  await expect(takeScreenshot(vm.context, vm.name, target, { force: true })).rejects.toMatchObject({ code: 'screenshot-damaged' });
  expect(await lab.host.files.read(target)).toEqual(PICTURE);
  expect(await lab.host.files.list(lab.home.home.run)).toEqual([]);
});
