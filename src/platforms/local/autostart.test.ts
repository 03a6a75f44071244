import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newVm, sampleLab } from '../../../tests/support/lab.ts';
import { parseName } from '../../base/types.ts';
import { setAutostart, startFlagged, stopFlagged, unitText } from './autostart.ts';
import { createVm } from './create.ts';
import { loadVm } from './vms.ts';

const GOLDEN = join(import.meta.dirname, '../../../tests/golden/systemd');
const web = parseName('web', 'a VM');

test.each(['system', 'user'] as const)('the unit of the %s', async (scope) => {
  const text = unitText({ command: '/opt/ingot tools/100%/ingot', home: '/srv/$home/"a"', scope });
  await expect(text).toMatchFileSnapshot(join(GOLDEN, `${scope}.service`));
});

test('where systemd does not run, it is told what to call', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  const { files } = lab.host;
  const host = {
    ...lab.host,
    env: { INGOT_COMMAND: '/opt/ingot/ingot' },
    files: { ...files, status: (path: string) => (path.startsWith('/run/systemd') ? Promise.resolve(undefined) : files.status(path)) },
  };
  const on = await setAutostart(lab.context(host), web, true);
  expect(on).toMatchObject({ installed: false, hint: expect.stringContaining(`INGOT_HOME=${lab.home.home.root} /opt/ingot/ingot vm start --autostart`) });
  expect((await loadVm(lab.host, lab.home.home, web)).autostart).toBe(true);
  expect(await setAutostart(lab.context(host), web, false)).toEqual({ installed: false, unit: undefined, hint: undefined });
  expect((await loadVm(lab.host, lab.home.home, web)).autostart).toBe(false);
});

test('where systemd runs, a unit of the user is enabled with the first flag and goes with the last', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  const { files } = lab.host;
  const present = await files.status(lab.home.home.root);
  const host = {
    ...lab.host,
    env: { INGOT_COMMAND: '/opt/ingot/ingot', XDG_CONFIG_HOME: lab.home.home.root },
    machine: { ...lab.host.machine, uid: 1000, user: 'kim' },
    files: { ...files, status: (path: string) => (path.startsWith('/run/systemd') ? Promise.resolve(present) : files.status(path)) },
  };
  const on = await setAutostart(lab.context(host), web, true);
  expect(on.hint).toContain('loginctl enable-linger kim');
  expect(Buffer.from(await files.read(on.unit ?? '')).toString()).toContain('vm start --autostart');
  expect(lab.ran.filter(([program]) => program === 'systemctl').map((argv) => argv[2])).toEqual(['daemon-reload', 'enable']);
  await setAutostart(lab.context(host), web, false);
  expect(await files.status(on.unit ?? '')).toBeUndefined();
  expect(lab.ran.at(-1)).toEqual(['systemctl', '--user', 'disable', '--quiet', on.unit?.split('/').at(-1)]);
});

test('one VM that does not start stops no other', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('web'));
  expect(await startFlagged(lab.context(), false)).toEqual([]);
  const vm = await loadVm(lab.host, lab.home.home, web);
  await lab.host.files.write(join(lab.home.home.vm(web), 'vm.json'), JSON.stringify({ ...vm, autostart: true }));
  await lab.host.files.remove(lab.home.home.blob(vm.image.layers[0] ?? lab.image.digest));
  expect(await startFlagged(lab.context(), false)).toEqual([{ name: 'web', error: expect.stringContaining('is not in the store any more') }]);
  expect(await stopFlagged(lab.context(), { timeout: 1, force: false })).toEqual([{ name: 'web', error: undefined }]);
});
