import * as z from 'zod';
import { expect, test, vi } from 'vitest';
import { publishLab, type PublishLab } from '../../tests/support/publish-lab.ts';
import { UNATTENDED } from '../../tests/support/unattended.ts';
import { builtInSettings } from '../base/settings.ts';
import type { Context, Operation } from './operation.ts';
import vmClone from './vm-clone.ts';
import vmConsole from './vm-console.ts';
import vmCreate from './vm-create.ts';
import vmDelete from './vm-delete.ts';
import vmList from './vm-list.ts';
import vmMigrate from './vm-migrate.ts';
import vmResize from './vm-resize.ts';
import vmRestart from './vm-restart.ts';
import vmShow from './vm-show.ts';
import vmSnapshotCreate from './vm-snapshot-create.ts';
import vmSnapshotDelete from './vm-snapshot-delete.ts';
import vmSnapshotList from './vm-snapshot-list.ts';
import vmSnapshotRestore from './vm-snapshot-restore.ts';
import vmStart from './vm-start.ts';
import vmStop from './vm-stop.ts';

// Each begins with a publication, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const ON = { on: 'proxmox:home' };

/** Runs an operation as a front end does: the input through its schema, the output through its schema, then as text. */
async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, lab: PublishLab, input: Record<string, unknown>) {
  const context: Context = { ...UNATTENDED, ...lab.context(), settings: builtInSettings(lab.at.home) };
  const output = await operation.run(z.parse(operation.input, input), context);
  const checked = z.parse(operation.output, output);
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(output)));
  return { output: checked, text: operation.render?.(checked, { color: false, width: 200 }) ?? '' };
}

test('the commands of vm do with --on what they do here', async () => {
  await using lab = await publishLab();
  await lab.publish(await lab.image());
  const create = { name: 'shop', image: 'web', memory: '1GiB', disk: '12GiB', ...ON };
  expect((await run(vmCreate, lab, create)).text).toBe('shop is starting. `ingot vm ssh shop --on proxmox:home` logs in as soon as it can.');
  expect((await run(vmList, lab, ON)).text).toMatch(/^NAME +STATE +ID[^]*shop +running +\d+ +pve +2 +1\.0 GiB +12 GiB +yes$/);
  expect((await run(vmShow, lab, { name: 'shop', ...ON })).text).toMatch(/On +proxmox:home, pve, as \d+[^]*SSH +[^]*Console +https:/);
  expect((await run(vmConsole, lab, { name: 'shop', ...ON })).text).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/\?console=kvm/);
  await run(vmSnapshotCreate, lab, { name: 'shop', snapshot: 'before', ...ON });
  expect((await run(vmSnapshotList, lab, { name: 'shop', ...ON })).text).toContain('before');
  expect((await run(vmStop, lab, { name: 'shop', ...ON })).text).toBe('shop has shut down.');
  expect((await run(vmResize, lab, { name: 'shop', cpus: 3, ...ON })).text).toMatch(/^shop has 3 processors, 1\.0 GiB of memory/);
  expect((await run(vmSnapshotRestore, lab, { name: 'shop', snapshot: 'before', ...ON })).text).toContain('`ingot vm start shop --on proxmox:home` boots it');
  await run(vmSnapshotDelete, lab, { name: 'shop', snapshot: 'before', ...ON });
  expect((await run(vmSnapshotCreate, lab, { name: 'shop', ...ON })).text).toContain('`ingot vm snapshot restore shop snapshot-1 --on proxmox:home`');
  await run(vmSnapshotDelete, lab, { name: 'shop', snapshot: 'snapshot-1', ...ON });
  expect((await run(vmStart, lab, { name: 'shop', ...ON })).output).toMatchObject({ state: 'running' });
  await run(vmRestart, lab, { name: 'shop', ...ON });
  expect((await run(vmClone, lab, { source: 'shop', target: 'copy', start: false, ...ON })).text).toContain('`ingot vm start copy --on proxmox:home`');
  await expect(run(vmMigrate, lab, { name: 'copy', place: 'pve9', ...ON })).rejects.toMatchObject({ message: expect.stringContaining('no such cluster node') });
  await expect(run(vmDelete, lab, { name: 'shop', ...ON })).rejects.toMatchObject({ code: 'vm-running' });
  await run(vmDelete, lab, { name: 'shop', force: true, ...ON });
  await run(vmDelete, lab, { name: 'copy', ...ON });
  expect((await run(vmList, lab, ON)).output).toEqual([]);
});

test('several at once, and what only this host can do', async () => {
  await using lab = await publishLab();
  await lab.publish(await lab.image());
  expect((await run(vmCreate, lab, { name: 'node', image: 'web', count: 3, start: false, ...ON })).output).toMatchObject({
    vms: [{ name: 'node-1' }, { name: 'node-2' }, { name: 'node-3' }],
  });
  await expect(run(vmCreate, lab, { name: 'x', image: 'web', warm: true, share: ['.:/src'], ...ON })).rejects.toMatchObject({
    code: 'on-unfitting',
    message: '--warm, --share are for VMs of this host, not of proxmox:home',
  });
  await expect(run(vmCreate, lab, { name: 'x', image: 'other', ...ON })).rejects.toMatchObject({
    code: 'publication-unknown',
    hint: expect.stringContaining('ingot publish other --to proxmox:home'),
  });
  await expect(run(vmList, lab, { on: 'proxmox:office' })).rejects.toMatchObject({ code: 'target-unknown' });
});
