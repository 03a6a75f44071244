import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab } from '../../tests/support/cloud-lab.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import { simVm } from '../../tests/simulators/cloudstack/model.ts';
import { SimCloud } from '../../tests/simulators/cloudstack/cloud.ts';
import { Simulator } from '../../tests/simulators/proxmox/server.ts';
import { builtInSettings } from '../base/settings.ts';
import { openSecrets } from '../base/secrets.ts';
import type { ProxmoxTarget } from '../platforms/proxmox/target.ts';
import { findPublication, Journal } from '../publish/journal.ts';
import { addTarget } from '../publish/targets.ts';
import type { Context, Operation } from './operation.ts';
import diffOperation from './publication-diff.ts';
import removeOperation from './publication-remove.ts';
import rollbackOperation from './publication-rollback.ts';
import showOperation from './publication-show.ts';
import { cloudMachineWish, cloudPlaceWish } from './publish-cloud-input.ts';
import publishOperation from './publish.ts';
import addOperation from './target-add.ts';
import checkOperation from './target-check.ts';
import targetListOperation from './target-list.ts';
import scriptOperation from './target-token-script.ts';

vi.setConfig({ testTimeout: 300_000 });

function contextOf(lab: CloudLab, more: { readonly piped?: string; readonly env?: Record<string, string> } = {}): Context {
  const context = lab.context();
  return {
    ...UNATTENDED,
    ...context,
    host: { ...context.host, env: { ...context.host.env, ...more.env } },
    settings: builtInSettings(lab.at.home),
    standardInput: () => Promise.resolve(more.piped === undefined ? undefined : Buffer.from(more.piped)),
  };
}

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(
  operation: Operation<I, O>,
  lab: CloudLab,
  input: Record<string, unknown>,
  more: Parameters<typeof contextOf>[1] = {},
) {
  const output = await operation.run(z.parse(operation.input, input), contextOf(lab, more));
  const checked = z.parse(operation.output, output);
  return { output: checked, text: operation.render?.(checked, { color: false, width: 200 }) ?? '', code: operation.exitCode?.(checked) ?? 0 };
}

test('a target is added with keys that are piped in, in the environment, or those of cloudmonkey', async () => {
  await using lab = await cloudLab();
  const { apiKey, secretKey } = lab.simulator.keys;
  const { url } = lab.simulator;
  const given = { platform: 'cloudstack', url };
  expect((await run(addOperation, lab, { ...given, name: 'piped' }, { piped: `${apiKey}:${secretKey}\n` })).text).toMatch(
    /^cloudstack:piped is added: CloudStack 4\.22\.1\.0 .*not encrypted/,
  );
  expect(lab.messages.join('\n')).toContain('is not encrypted');
  await run(addOperation, lab, { ...given, name: 'env' }, { env: { CLOUDSTACK_API_KEY: apiKey, CLOUDSTACK_SECRET_KEY: secretKey } });
  const folder = join(lab.at.home.root, 'user');
  await mkdir(join(folder, '.cmk'), { recursive: true });
  await writeFile(join(folder, '.cmk/config'), `[core]\nprofile = p\n[p]\nurl = ${url}\napikey = ${apiKey}\nsecretkey = ${secretKey}\n`);
  await run(addOperation, lab, { platform: 'cloudstack', name: 'cmk', cmkProfile: 'p', zone: ['z1'], offering: 'small' }, { env: { HOME: folder } });
  expect(await openSecrets(contextOf(lab)).value('target-cloudstack-cmk')).toBe(`${apiKey}:${secretKey}`);
  expect((await run(targetListOperation, lab, {})).output.targets.map(({ target }) => target)).toEqual([
    'cloudstack:cmk',
    'cloudstack:env',
    'cloudstack:piped',
    'cloudstack:prod',
  ]);
  await expect(run(addOperation, lab, { ...given, name: 'x' }, { piped: 'nonsense' })).rejects.toMatchObject({ code: 'keys-invalid' });
  await expect(run(addOperation, lab, { ...given, name: 'x' }, { piped: `${apiKey}:wrong` })).rejects.toMatchObject({ code: 'key-refused' });
  await expect(run(addOperation, lab, { ...given, name: 'x', tokenId: 'a@pve!b' })).rejects.toMatchObject({ code: 'flag-unfit' });
  await expect(run(addOperation, lab, { platform: 'cloudstack', name: 'x' })).rejects.toMatchObject({ code: 'flag-missing' });
  await expect(run(scriptOperation, lab, { target: 'prod' })).rejects.toMatchObject({ code: 'target-unfit' });
  expect((await run(checkOperation, lab, { target: 'prod' })).code).toBe(0);
  // Nothing vouches for a server that is spoken to without TLS.
  expect((await run(targetListOperation, lab, {})).output.targets.map(({ trust }) => trust)).toEqual(['none', 'none', 'none', 'none']);
});

test('a publication is planned, shown with the instances on it, compared, rolled back, and removed', async () => {
  await using lab = await cloudLab({ cloud: new SimCloud(['z1', 'z2']) });
  const { cloud } = lab.simulator;
  const [one, two] = [await lab.image('web', 'one'), await lab.image('web', 'two')];
  const planned = await run(publishOperation, lab, {
    image: ['web:two'],
    to: ['prod'],
    plan: true,
    allZones: true,
    visibility: 'featured',
    detail: ['nicAdapter=virtio'],
  });
  expect(planned.text).toMatch(
    /z1: CloudStack 4\.22\.1\.0, KVM, so the template is QCOW2[^]*registerTemplate name=web-.*format=QCOW2 .*details\[0\]\.nicAdapter=virtio/,
  );
  expect(lab.simulator.log.every(({ method }) => method === 'GET')).toBe(true);
  await expect(run(publishOperation, lab, { image: ['web:two'], to: ['prod'], bridge: 'vmbr0' })).rejects.toMatchObject({
    code: 'flag-unfit',
    message: expect.stringContaining('--bridge'),
  });

  await lab.publish(one, { machine: { visibility: 'public' } });
  await lab.publish(two, { machine: { visibility: 'public' } });
  expect(await run(diffOperation, lab, {})).toMatchObject({ code: 0, text: '2 publications compared: all is as it was published' });
  // A target that is gone, or down, keeps nobody from the others.
  const gone = new Journal(contextOf(lab), {
    ...(await findPublication(contextOf(lab), 'web')),
    id: 'cloudstack-gone-web-0123456789ab',
    target: 'cloudstack:gone',
  });
  await gone.change((content) => content);
  const partly = await run(diffOperation, lab, {});
  expect(partly).toMatchObject({ code: 3, output: { compared: 2, unseen: [{ target: 'cloudstack:gone', error: { code: 'target-unknown' } }] } });
  expect(partly.text).toMatch(/^2 publications compared: [^]*\ncloudstack:gone was not looked at: There is no target[^]*hint: /);
  await gone.forget();
  const template = [...cloud.templates.values()].find(({ name }) => name.includes(two.digest.slice(7, 15)));
  if (template === undefined) throw new Error('no template');
  const [zone] = cloud.zones.keys();
  template.isfeatured = true;
  template.rows.delete(zone ?? '');
  template.tags.set('ingot-version', 'edited');
  const drift = await run(diffOperation, lab, { publication: 'web' });
  expect(drift.code).toBe(7);
  expect(drift.output.differences.map(({ place, what, found }) => `${place} ${what} ${found}`).toSorted()).toEqual([
    'z1 template gone',
    'z2 tag ingot-version edited',
    'z2 visibility featured',
  ]);

  cloud.vms.set('v', simVm({ id: 'v', name: 'shop', zoneid: [...template.rows.keys()][0] ?? '', templateid: template.id, address: '192.0.2.99' }));
  expect((await run(showOperation, lab, { publication: 'web' })).text).toMatch(/Made {5}template web-.* for KVM in z2[^]*VMs {6}v shop on z2 \(made from it\)/);
  expect((await run(rollbackOperation, lab, { publication: 'cloudstack:prod/web' })).text).toMatch(/is current again/);
  expect(
    cloud
      .summary()
      .templates.filter((line) => line.includes('public=true'))
      .every((line) => line.startsWith(`web-${one.digest.slice(7, 15)}`)),
  ).toBe(true);
  const id = `cloudstack-prod-web-${two.digest.slice(7, 19)}`;
  await expect(run(removeOperation, lab, { publication: id })).rejects.toMatchObject({ code: 'publication-in-use', hint: expect.stringContaining('--force') });
  await run(removeOperation, lab, { publication: id, force: true });
  expect(cloud.summary().templates).toHaveLength(2);
});

test('of two platforms in one command, each hears its own flags; a flag of neither is refused', async () => {
  await using lab = await cloudLab();
  await using pve = await Simulator.start();
  const home: ProxmoxTarget = {
    platform: 'proxmox',
    name: 'home',
    url: pve.url,
    tokenId: pve.tokenId,
    trust: { kind: 'fingerprint', sha256: pve.tls.fingerprint },
    defaults: {},
  };
  await addTarget(lab.context(), home, pve.secret, { replace: false });
  await lab.image();
  const both = { image: ['web'], to: ['proxmox:home', 'cloudstack:prod'], plan: true };
  const planned = await run(publishOperation, lab, { ...both, node: ['pve'], memory: '2GiB', zone: ['z1'], detail: ['nicAdapter=virtio'] });
  expect(planned.text).toMatch(
    /web to proxmox:home[^]*POST \/nodes\/pve\/qemu .*memory=2048[^]*web to cloudstack:prod[^]*registerTemplate .*details\[0\]\.nicAdapter=virtio/,
  );
  const wrong = { ...both, to: ['proxmox:home'], zone: ['z1'] };
  await expect(run(publishOperation, lab, wrong)).rejects.toMatchObject({ code: 'flag-unfit', message: '--zone says nothing to proxmox' });
});

test('wishes that contradict each other are refused', () => {
  const input = (more: Record<string, unknown>) => z.parse(publishOperation.input, { image: ['web'], to: ['prod'], ...more });
  expect(cloudPlaceWish(input({}))).toEqual({ zones: [], all: false, hypervisor: undefined });
  expect(cloudPlaceWish(input({ serve: '192.0.2.1:80' })).transfer).toEqual({ kind: 'serve', address: '192.0.2.1:80', tls: undefined });
  expect(cloudPlaceWish(input({ imageUrl: 'https://x/web.qcow2', imageSha256: 'A'.repeat(64) })).transfer).toEqual({
    kind: 'url',
    url: 'https://x/web.qcow2',
    sha256: 'a'.repeat(64),
  });
  expect(cloudMachineWish(input({ network: ['lab'], detail: ['a=b=c'] }))).toEqual({ networks: ['lab'], details: { a: 'b=c' } });
  for (const [more, code] of [
    [{ zone: ['a'], allZones: true }, 'zones-twice'],
    [{ transfer: 'upload', serve: '192.0.2.1' }, 'transfer-twice'],
    [{ transfer: 'upload', imageUrl: 'https://x/a.qcow2', imageSha256: 'a'.repeat(64) }, 'transfer-twice'],
    [{ imageUrl: 'https://x/a.qcow2' }, 'image-sha256-missing'],
    [{ imageSha256: 'a'.repeat(64) }, 'image-url-missing'],
  ] as const) {
    expect(() => cloudPlaceWish(input(more))).toThrow(expect.objectContaining({ code }));
  }
});
