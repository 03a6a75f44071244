import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab, type CloudLabOptions } from '../../../tests/support/cloud-lab.ts';
import { SimCloud } from '../../../tests/simulators/cloudstack/cloud.ts';
import type { SimVm } from '../../../tests/simulators/cloudstack/model.ts';
import { fetchTemplate } from '../fetch-template.ts';
import type { Platform } from '../platform.ts';
import type { RemoteVm } from '../remote-vms.ts';

// Each begins with a publication; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const GIB = 2 ** 30;

async function withVm(options: CloudLabOptions = {}): Promise<{ lab: CloudLab; platform: Platform; web: RemoteVm; sim: SimVm }> {
  const lab = await cloudLab(options);
  const { publication } = await lab.publish(await lab.image(), { ssh: false });
  const platform = await lab.open();
  const web = await platform.vms.create({
    name: 'web',
    template: { publication: publication.id, reference: publication.image.reference, places: publication.places },
    machine: { sshKeys: [`ssh-ed25519 ${Buffer.from('my key').toString('base64')} ingot`] },
    full: false,
    start: true,
    disk: 10 * GIB,
  });
  return { lab, platform, web, sim: lab.simulator.cloud.vm(web.id) };
}

const templatesOf = ({ simulator }: CloudLab): string[] => [...simulator.cloud.templates.values()].map(({ name }) => name);

function make({ vms }: Platform, vm: RemoteVm, wish: { name: string; snapshot?: string; osType?: string }) {
  if (vms.makeTemplate === undefined) throw new Error('no templates');
  return vms.makeTemplate(vm, wish);
}

test('an instance that is off becomes a template, with what is known of it; one that runs is refused', async () => {
  const { lab: made, platform: opened, web, sim } = await withVm();
  await using lab = made;
  await using platform = opened;
  await expect(make(platform, web, { name: 'golden' })).rejects.toMatchObject({ code: 'vm-running', hint: expect.stringContaining('vm stop web') });
  await platform.vms.stop(web, { timeout: 0, force: true });
  const template = await make(platform, web, { name: 'golden' });
  expect(template).toEqual({ name: 'golden', id: expect.any(String), place: 'z1' });
  const found = lab.simulator.cloud.template(template.id);
  expect(found).toMatchObject({ hypervisor: 'KVM', format: 'QCOW2', ispublic: false, fields: { passwordenabled: true, sshkeyenabled: true } });
  expect(found.ostypeid).toBe(lab.simulator.cloud.template(sim.templateid).ostypeid);
  expect(found.displaytext).toContain(`web on cloudstack:prod (${web.id})`);
  await expect(make(platform, web, { name: 'golden' })).rejects.toMatchObject({ code: 'template-exists' });
  // A name of which that one is a part is another.
  await make(platform, web, { name: 'gold', osType: 'other linux (64-bit)' });
  await expect(make(platform, web, { name: 'x', osType: 'Debain' })).rejects.toMatchObject({ code: 'os-type-unknown' });
  expect(templatesOf(lab).slice(1)).toEqual(['golden', 'gold']);
  expect(lab.simulator.wrong).toEqual([]);
});

test('a snapshot of the instance becomes one by a copy of its disk, which is gone afterwards; so does a snapshot of the disk itself', async () => {
  const { lab: made, platform: opened, web, sim } = await withVm();
  await using lab = made;
  await using platform = opened;
  const { cloud } = lab.simulator;
  await platform.vms.snapshot(web, { name: 'before', memory: false });
  await make(platform, web, { name: 'as-before', snapshot: 'before' });
  expect(cloud.diskSnapshots.size).toBe(0);
  cloud.diskSnapshots.set('9b2f7a10-0000-4000-8000-000000000001', {
    id: '9b2f7a10-0000-4000-8000-000000000001',
    name: 'nightly',
    volume: sim.volume,
    state: 'BackedUp',
  });
  await make(platform, web, { name: 'of-the-night', snapshot: 'nightly' });
  expect(cloud.diskSnapshots.size).toBe(1);
  await expect(make(platform, web, { name: 'x', snapshot: 'after' })).rejects.toMatchObject({ code: 'snapshot-unknown', hint: 'It has before, nightly.' });
  // One that fails leaves neither the copy nor half a template.
  cloud.failures.push({ command: 'createTemplate', text: 'no room on secondary storage' });
  await expect(make(platform, web, { name: 'fails', snapshot: 'before' })).rejects.toMatchObject({ message: expect.stringContaining('no room') });
  expect(cloud.diskSnapshots.size).toBe(1);
  expect(templatesOf(lab).slice(1)).toEqual(['as-before', 'of-the-night']);
  expect(lab.simulator.wrong).toEqual([]);
});

test.each(['cut', 'lost'] as const)('with the connection %s at any of its requests, there is one template in the end and no copy', async (mode) => {
  const { lab: made, platform: opened, web } = await withVm();
  await using lab = made;
  await using platform = opened;
  await platform.vms.snapshot(web, { name: 'before', memory: false });
  for (let at = 1; ; at += 1) {
    const start = lab.simulator.log.length;
    lab.simulator.fault = ({ number }) => (number === start + at ? mode : undefined);
    const name = `golden-${at}`;
    await make(platform, web, { name, snapshot: 'before' });
    expect(
      templatesOf(lab).filter((one) => one === name),
      `${mode} at request ${at}`,
    ).toHaveLength(1);
    expect(lab.simulator.cloud.diskSnapshots.size).toBe(0);
    if (lab.simulator.log.length < start + at) break;
    for (const [id, template] of lab.simulator.cloud.templates) if (template.name === name) lab.simulator.cloud.templates.delete(id);
  }
});

test('one that a cut run has left half made is waited for', async () => {
  const { lab: made, platform: opened, web } = await withVm({ cloud: Object.assign(new SimCloud(), { polls: 3 }) });
  await using lab = made;
  await using platform = opened;
  await platform.vms.stop(web, { timeout: 0, force: true });
  const stop = new AbortController();
  await using cut = await lab.open({ signal: stop.signal });
  lab.simulator.before = ({ command }) => {
    if (command === 'queryAsyncJobResult') stop.abort();
  };
  await expect(make(cut, web, { name: 'golden' })).rejects.toThrow();
  lab.simulator.before = () => undefined;
  expect(await make(platform, web, { name: 'golden' })).toMatchObject({ name: 'golden' });
  expect(lab.simulator.log.filter(({ command }) => command === 'createTemplate')).toHaveLength(1);
});

test('a template is fetched from the secondary storage VM of its zone, and goes on where the connection was cut', async () => {
  const { lab: made, platform: opened, web, sim } = await withVm();
  await using lab = made;
  await using platform = opened;
  const { templates } = platform;
  if (templates === undefined) throw new Error('no templates');
  await platform.vms.stop(web, { timeout: 0, force: true });
  const { id } = await make(platform, web, { name: 'golden' });
  lab.simulator.cutDownloadAt = 100_000;
  const { file, template } = await fetchTemplate(lab.context(), templates, { name: 'golden' });
  expect(template).toMatchObject({ id, place: 'z1', format: 'QCOW2' });
  const source = await readFile(lab.simulator.cloud.template(sim.templateid).rows.get(sim.zoneid)?.file ?? '');
  expect(file.sha256).toBe(createHash('sha256').update(source).digest('hex'));
  // The same address again finds what is there.
  expect((await fetchTemplate(lab.context(), templates, { name: id, place: 'z1' })).file).not.toHaveProperty('url');
  await expect(templates.open('goldne', {})).rejects.toMatchObject({ code: 'template-unknown', hint: expect.stringContaining('golden') });
  await expect(templates.open('golden', { place: 'z9' })).rejects.toMatchObject({ code: 'zone-unknown' });
  const { cloud } = lab.simulator;
  const one = cloud.template(id);
  cloud.templates.set(id, { ...one, fields: { ...one.fields, isextractable: false } });
  await expect(templates.open('golden', {})).rejects.toMatchObject({ code: 'template-locked' });
  expect(lab.simulator.wrong).toEqual([]);
});
