import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { openSecrets } from '../base/secrets.ts';
import type { ProxmoxTarget } from '../platforms/proxmox/target.ts';
import { targetReference } from '../platforms/platform.ts';
import { addTarget, findTarget, listTargets, parseTargetName, removeTarget } from './targets.ts';

const target = (name: string): ProxmoxTarget => ({
  platform: 'proxmox',
  name,
  url: 'https://pve:8006',
  tokenId: 'a@pve!b',
  trust: { kind: 'system' },
  defaults: {},
});

test('targets are kept without their secrets, found by name, and forgotten with them', async () => {
  await using at = await sampleHome();
  expect(await listTargets(at)).toEqual([]);
  expect(await addTarget(at, target('home'), 'a secret', { replace: false })).toBe('added');
  await addTarget(at, target('office'), 'another', { replace: false });
  await expect(addTarget(at, target('home'), 'x', { replace: false })).rejects.toMatchObject({ code: 'target-exists' });
  expect(await addTarget(at, target('home'), 'a new one', { replace: true })).toBe('replaced');
  expect(await readFile(at.home.targets, 'utf8')).not.toContain('a new one');
  expect((await at.host.files.status(at.home.targets))?.mode).toBe(0o600);
  expect(await openSecrets(at).value('target-proxmox-home')).toBe('a new one');
  for (const name of ['home', 'proxmox:home']) expect(targetReference(await findTarget(at, name))).toBe('proxmox:home');
  await expect(findTarget(at, 'proxmox:hom')).rejects.toMatchObject({ code: 'target-unknown', hint: expect.stringContaining('proxmox:home') });
  await removeTarget(at, target('home'));
  expect((await listTargets(at)).map(targetReference)).toEqual(['proxmox:office']);
  expect(await openSecrets(at).names()).toEqual(['target-proxmox-office']);
});

test('names that make no name of a secret are refused, as are files that are not ours or newer', async () => {
  for (const name of ['', 'Home', '1st', 'a.b', 'a'.repeat(33), 'a-']) expect(() => parseTargetName(name)).toThrow(/name of a target/);
  await using at = await sampleHome();
  await writeFile(at.home.targets, '{');
  await expect(listTargets(at)).rejects.toMatchObject({ code: 'targets-damaged' });
  await writeFile(at.home.targets, '{"v":2,"targets":[]}');
  await expect(listTargets(at)).rejects.toMatchObject({ code: 'targets-newer' });
});
