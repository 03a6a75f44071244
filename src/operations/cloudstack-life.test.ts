import * as z from 'zod';
import { expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab } from '../../tests/support/cloud-lab.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import { SimCloud } from '../../tests/simulators/cloudstack/cloud.ts';
import { builtInSettings } from '../base/settings.ts';
import { imageName } from '../build/foreign-disk.ts';
import importOperation from './image-import.ts';
import type { Operation } from './operation.ts';
import copyOperation from './publication-copy.ts';
import removeOperation from './publication-remove.ts';
import kubernetesAddOperation from './target-kubernetes-add.ts';
import kubernetesListOperation from './target-kubernetes-list.ts';
import kubernetesRemoveOperation from './target-kubernetes-remove.ts';
import templateOperation from './vm-template.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(
  operation: Operation<I, O>,
  lab: CloudLab,
  input: Record<string, unknown>,
): Promise<string> {
  const output = await operation.run(z.parse(operation.input, input), { ...UNATTENDED, ...lab.context(), settings: builtInSettings(lab.at.home) });
  return operation.render?.(z.parse(operation.output, output), { color: false, width: 200 }) ?? '';
}

test('a publication is copied to a zone, and removed from it', async () => {
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud });
  await lab.publish(await lab.image(), { places: { nodes: ['z1'], allNodes: false } });
  expect(await run(copyOperation, lab, { publication: 'web', zone: ['z2'] })).toMatch(/^z2: template web-.* for KVM in z2, \d+ of \d+ checks passed$/);
  expect(await run(copyOperation, lab, { publication: 'cloudstack:prod/web', allZones: true })).toMatch(/is there already: z1, z2$/);
  await expect(run(copyOperation, lab, { publication: 'web' })).rejects.toMatchObject({ code: 'zones-missing' });
  await expect(run(copyOperation, lab, { publication: 'web', zone: ['z2'], allZones: true })).rejects.toMatchObject({ code: 'zones-twice' });
  expect(await run(removeOperation, lab, { publication: 'web', zone: ['z2'] })).toMatch(/is removed from z2$/);
  expect(cloud.summary().templates).toEqual([expect.stringContaining(' in z1 ')]);
  expect(await run(copyOperation, lab, { publication: 'web', zone: ['z2'], validate: false })).toMatch(/not proven there$/);
  expect(await run(removeOperation, lab, { publication: 'web', force: true })).toMatch(/is removed from z1, z2$/);
  expect(cloud.summary().templates).toEqual([]);
});

test('a template is made of an instance where there are such, and taken from a target that gives them out', async () => {
  await using lab = await cloudLab();
  const { publication } = await lab.publish(await lab.image(), { ssh: false });
  await using platform = await lab.open();
  const template = { publication: publication.id, reference: publication.image.reference, places: publication.places };
  const vm = await platform.vms.create({ name: 'shop', template, machine: {}, full: false, start: true });
  await platform.vms.stop(vm, { timeout: 0, force: true });
  const on = 'cloudstack:prod';
  expect(await run(templateOperation, lab, { name: 'shop', on, as: 'Shop, golden' })).toMatch(
    /^Shop, golden is a template in z1 \(.*\)\. `ingot image import --from cloudstack:prod/,
  );
  await expect(run(templateOperation, lab, { name: 'shop', as: 'x' })).rejects.toMatchObject({
    code: 'on-missing',
    hint: expect.stringContaining('vm export'),
  });
  expect(imageName('Shop, golden', 'template')).toBe('shop-golden');
  expect(imageName('...', 'template')).toBe('template');
  // What would have a name that is taken is not fetched.
  await lab.image('shop-golden');
  await expect(run(importOperation, lab, { from: on, template: 'Shop, golden' })).rejects.toMatchObject({ code: 'tag-exists' });
  expect(await lab.at.host.files.list(lab.at.home.disks)).toEqual([]);
  for (const [input, code] of [
    [{}, 'source-missing'],
    [{ file: '/x.qcow2', template: 'y' }, 'source-missing'],
    [{ from: on }, 'template-missing'],
    [{ from: on, template: 'y', file: '/x.qcow2' }, 'source-twice'],
    [{ from: on, template: 'y', offline: true }, 'source-twice'],
    [{ from: on, template: 'goldne' }, 'template-unknown'],
  ] as const) {
    await expect(run(importOperation, lab, input)).rejects.toMatchObject({ code });
  }
});

test('versions of Kubernetes are shown, and one that cannot be fetched is not left', async () => {
  await using lab = await cloudLab();
  const version = { target: 'prod', version: '1.33.1' };
  expect(await run(kubernetesListOperation, lab, { target: 'prod' })).toMatch(/There are none/);
  lab.simulator.cloud.zoneNamed('z1').failsWith = 'HTTP status 404';
  await expect(run(kubernetesAddOperation, lab, { ...version, url: 'http://127.0.0.1:1/a.iso' })).rejects.toMatchObject({ code: 'download-failed' });
  expect(lab.simulator.cloud.kubernetesVersions.size).toBe(0);
  const iso = 'b7d2a3f0-0000-4000-8000-000000000001';
  lab.simulator.cloud.kubernetesVersions.set(iso, {
    id: iso,
    semanticversion: '1.33.1',
    name: 'v1.33.1',
    zoneid: undefined,
    mincpunumber: 2,
    minmemory: 2048,
    iso,
  });
  expect(await run(kubernetesListOperation, lab, { target: 'prod' })).toMatch(/1\.33\.1 +v1\.33\.1 +all +2 CPUs, 2\.0 GiB/);
  expect(await run(kubernetesRemoveOperation, lab, version)).toBe('Kubernetes 1.33.1 is removed from all zones');
});
