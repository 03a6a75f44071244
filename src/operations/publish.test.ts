import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { expect, test, vi } from 'vitest';
import { publishLab, type PublishLab } from '../../tests/support/publish-lab.ts';
import { putSampleImage } from '../../tests/support/sample-images.ts';
import { builtInSettings } from '../base/settings.ts';
import type { Context, Operation } from './operation.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import listOperation from './publication-list.ts';
import promoteOperation from './publication-promote.ts';
import removeOperation from './publication-remove.ts';
import reportOperation from './publication-report.ts';
import rollbackOperation from './publication-rollback.ts';
import showOperation from './publication-show.ts';
import { machineWishOf, placeWishOf } from './publish-input.ts';
import publishOperation from './publish.ts';
import addOperation from './target-add.ts';
import checkOperation from './target-check.ts';
import targetListOperation from './target-list.ts';
import targetRemoveOperation from './target-remove.ts';
import scriptOperation from './target-token-script.ts';

// Each is several publications, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

function contextOf(lab: PublishLab, piped?: string): Context {
  return {
    ...UNATTENDED,
    ...lab.context(),
    settings: builtInSettings(lab.at.home),
    standardInput: () => Promise.resolve(piped === undefined ? undefined : Buffer.from(piped)),
  };
}

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(
  operation: Operation<I, O>,
  lab: PublishLab,
  input: Record<string, unknown>,
  piped?: string,
) {
  const output = await operation.run(z.parse(operation.input, input), contextOf(lab, piped));
  const checked = z.parse(operation.output, output);
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(output)));
  return { output: checked, text: operation.render?.(checked, { color: false, width: 200 }) ?? '', code: operation.exitCode?.(checked) ?? 0 };
}

test('a target is added with its secret piped in, checked, and forgotten', async () => {
  await using lab = await publishLab();
  const { simulator } = lab;
  const given = { platform: 'proxmox', name: 'second', url: simulator.url, tokenId: simulator.tokenId };
  expect((await run(addOperation, lab, given, `${simulator.secret}\n`)).text).toMatch(/^proxmox:second is added: Proxmox VE 9\.2/);
  await expect(run(addOperation, lab, given, simulator.secret)).rejects.toMatchObject({ code: 'target-exists' });
  await expect(run(addOperation, lab, { ...given, name: 'third', ca: join(lab.at.home.root, 'version') }, simulator.secret)).rejects.toMatchObject({
    code: 'ca-invalid',
  });
  expect((await run(targetListOperation, lab, {})).output.targets.map(({ target }) => target)).toEqual(['proxmox:home', 'proxmox:second']);

  expect(await run(checkOperation, lab, { target: 'second' })).toMatchObject({
    code: 0,
    text: expect.stringContaining('lvmthin: images, rootdir; 100 GiB free'),
  });
  simulator.lacks.add('VM.Clone').add('VM.Snapshot');
  const local = simulator.cluster.storages.get('local');
  if (local !== undefined) local.content = ['iso'];
  const checked = await run(checkOperation, lab, { target: 'second' });
  expect(checked.code).toBe(5);
  await run(addOperation, lab, { ...given, node: 'pve9', storage: 'tank', uploadStorage: 'local', replace: true }, simulator.secret);
  const misspelt = await run(checkOperation, lab, { target: 'second' });
  expect(misspelt.text).toMatch(/✘ +--node +the target names the node pve9, and there is none; there are pve\n/);
  expect(misspelt.output.findings.filter(({ name }) => name.startsWith('--')).map(({ name }) => name)).toEqual(['--node', '--storage']);
  expect(checked.text).toMatch(
    /✘ +uploads to pve[^]*✘ +privilege VM\.Clone[^]*! +privilege VM\.Snapshot[^]*pvesm set local --content iso,import[^]*pveum role/,
  );
  expect((await run(targetRemoveOperation, lab, { target: 'second' })).text).toBe('proxmox:second is forgotten');
});

test('the script for a token differs by the major version, and takes a target or a name', async () => {
  await using lab = await publishLab();
  expect((await run(scriptOperation, lab, { target: 'home' })).text).toMatch(/VM\.GuestAgent\.Audit[^]*user token add 'ingot@pve' 'test'/);
  expect((await run(scriptOperation, lab, { major: '8', tokenId: 'a@pam!home' })).text).toMatch(/VM\.Monitor/);
  await expect(run(scriptOperation, lab, { target: 'home', tokenId: 'a@pve!home' })).rejects.toMatchObject({ code: 'token-twice' });
});

test('publications are planned, listed, shown, promoted, rolled back, reported and removed', async () => {
  await using lab = await publishLab();
  const [one, two] = [await lab.image('web', 'one'), await lab.image('web', 'two')];
  const planned = await run(publishOperation, lab, { image: ['web:two'], to: ['home'], plan: true, vmids: '9000-9010', firmware: 'uefi-secure', tpm: true });
  expect(planned.text).toMatch(/pve: disks lie on local-lvm[^]*POST \/nodes\/pve\/qemu vmid=9000 .*efidisk0=local-lvm:1,efitype=4m,pre-enrolled-keys=1/);
  expect(lab.simulator.log.every(({ method }) => method === 'GET')).toBe(true);
  await expect(run(publishOperation, lab, { image: ['web:two'], to: ['nowhere'] })).rejects.toMatchObject({ code: 'target-unknown' });

  await lab.publish(one);
  await lab.publish(two);
  expect(await run(publishOperation, lab, { image: ['web:two'], to: ['proxmox:home'], ssh: false })).toMatchObject({
    text: expect.stringMatching(/is there already, and current\n {2}VM 101 .*: 5 of 5 checks passed/),
  });
  const listed = await run(listOperation, lab, { name: 'web' });
  expect(listed.output.publications.map(({ state }) => state).toSorted()).toEqual(['current', 'validated']);
  expect((await run(listOperation, lab, { name: 'shop' })).text).toMatch(/^Nothing is published yet/);
  expect((await run(showOperation, lab, { publication: 'web' })).text).toMatch(/State {4}current\nMade {5}VM 101 [^]*✔ guest agent[^]*VMs {6}none/);

  expect((await run(rollbackOperation, lab, { publication: 'proxmox:home/web' })).text).toMatch(/is current again/);
  const older = listed.output.publications.find(({ state }) => state === 'current')?.id ?? '';
  expect((await run(promoteOperation, lab, { publication: older })).output.state).toBe('current');
  const out = join(lab.at.home.root, 'web.html');
  await run(reportOperation, lab, { publication: 'web', out });
  expect(await readFile(out, 'utf8')).toMatch(/^<!doctype html>[^]*guest agent/);
  // The file's name says as what it is written.
  await run(reportOperation, lab, { publication: 'web', out: `${out}.xml` });
  expect(await readFile(`${out}.xml`, 'utf8')).toMatch(/^<\?xml [^]*<testsuites>/);
  await expect(run(reportOperation, lab, { publication: 'web', out: `${out}.txt` })).rejects.toMatchObject({ code: 'report-format-unknown' });
  await run(reportOperation, lab, { publication: 'web', out: `${out}.txt`, format: 'json' });

  // However narrow the terminal is, one can read the id.
  const [line] = listed.output.publications;
  if (line === undefined) throw new Error('nothing is listed');
  const narrow = listOperation.render?.({ publications: [{ ...line, reference: `web:${'x'.repeat(60)}` }] }, { color: false, width: 60 }) ?? '';
  expect(narrow).toContain(line.id);
  expect(narrow).toMatch(/web:x+…/);

  await expect(run(targetRemoveOperation, lab, { target: 'home' })).rejects.toMatchObject({ code: 'target-in-use' });
  for (const { id } of listed.output.publications) await run(removeOperation, lab, { publication: id, force: true });
  expect(lab.simulator.cluster.summary()).toEqual({ vms: [], volumes: [] });
  await expect(run(showOperation, lab, { publication: 'web' })).rejects.toMatchObject({ code: 'publication-unknown' });
});

test('several images have a result each, an exit code, and a report', async () => {
  await using lab = await publishLab();
  const web = await lab.image('web');
  await lab.publish(web);
  await putSampleImage(lab.at.store, lab.at.home, 'db', ['latest'], ['base of db', 'db']);
  const report = join(lab.at.home.root, 'run.xml');
  const planned = await run(publishOperation, lab, { image: ['web', 'db'], to: ['home'], plan: true });
  expect(planned.code).toBe(7);
  expect(planned.text).toMatch(
    /^web to proxmox:home\n {2}pve: [^]*\n {4}POST \/nodes\/pve\/qemu [^]*\n\ndb to proxmox:home\n {2}Cannot be published: .*image-unproven\)\n {4}hint: Build it again/,
  );
  const ended = await run(publishOperation, lab, { image: ['*'], to: ['home', 'proxmox:home'], ssh: false, report });
  expect(ended.code).toBe(7);
  expect(ended.text).toMatch(
    /db +proxmox:home +failed[^]*web +proxmox:home +unchanged +current +pve +5 of 5[^]*db on proxmox:home: The gate of db has not been run[^]*hint: Build it again[^]*2 publications: 1 unchanged, 1 failed/,
  );
  expect(await readFile(report, 'utf8')).toMatch(/<error type="image-unproven"/);
  await expect(run(publishOperation, lab, { image: ['web'], to: ['home'], report: `${report}.txt` })).rejects.toMatchObject({ code: 'report-format-unknown' });
  await expect(run(publishOperation, lab, { image: ['db'], to: ['home'] })).rejects.toMatchObject({ code: 'image-unproven' });
});

test('wishes that contradict each other, private keys and bad ranges are refused', async () => {
  await using lab = await publishLab();
  const context = contextOf(lab);
  const input = z.parse(publishOperation.input, { image: ['web'], to: ['home'] });
  expect(await machineWishOf(context, input)).toEqual({});
  const [key, pub] = [join(lab.at.home.root, 'id'), join(lab.at.home.root, 'id.pub')];
  await writeFile(key, '-----BEGIN OPENSSH PRIVATE KEY-----\n');
  await writeFile(pub, 'ssh-ed25519 AAAA me\n');
  expect(await machineWishOf(context, { ...input, sshKey: [pub], memory: 2 ** 31 })).toEqual({ memory: 2048, sshKeys: ['ssh-ed25519 AAAA me'] });
  await expect(machineWishOf(context, { ...input, sshKey: [key] })).rejects.toMatchObject({ code: 'ssh-key-private' });
  await expect(machineWishOf(context, { ...input, gateway: '192.0.2.1' })).rejects.toMatchObject({ code: 'gateway-without-ip' });
  for (const vmids of ['1-5', '200-100', '100-9999999999'])
    expect(() => placeWishOf({ ...input, vmids })).toThrow(expect.objectContaining({ code: 'vmids-invalid' }));
  expect(() => placeWishOf({ ...input, node: ['a'], allNodes: true })).toThrow(expect.objectContaining({ code: 'nodes-twice' }));
});
