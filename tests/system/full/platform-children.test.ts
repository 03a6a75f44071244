import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { hostProcesses } from '../../../src/base/process.ts';
import { imageForHypervisor } from '../../../src/operations/platform-child.ts';
import { accelerator } from '../../../src/platforms/local/accelerator.ts';
import { acceleratorArguments } from '../../../src/platforms/local/qemu-arguments.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * Children for VMware and Xen: built on the very image, passed by the gate, and what a package for VMware says of its hardware is true: it starts from pvscsi, with
 * vmxnet3. Needs some twenty minutes without KVM. INGOT_TEST_HOME names a home with debian-12, and is kept.
 */

const reason = whyNot();
const detailsSchema = z.object({ kernel: z.string(), from: z.object({ digest: z.string() }).optional(), layers: z.array(z.object({ name: z.string() })) });
const shown = z
  .object({ digest: z.string(), config: z.object({ 'dev.ingot.image': detailsSchema }) })
  .transform(({ digest, config }) => ({ digest, details: config['dev.ingot.image'] }));

describe.skipIf(reason !== undefined)(`children of an image${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder: string;

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    folder = await mkdtemp('/var/tmp/ingot-children-');
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  const show = async (image: string): Promise<z.output<typeof shown>> => shown.parse(await home.json(['image', 'show', image]));

  test.each(['vmware', 'xen'])('debian-12-%s is built on debian-12, which is built first, and passes its gate', async (platform) => {
    await home.json(['build', `debian-12-${platform}`, '--yes']);
    const parent = await show('debian-12');
    const child = await show(`debian-12-${platform}`);
    expect(child.details).toMatchObject({ kernel: 'generic', from: { digest: parent.digest } });
    expect(child.details.layers.map(({ name }) => name)).toEqual(['bootstrap', 'kernel', platform]);
    const context = await home.context();
    const hypervisor = platform === 'xen' ? 'XenServer' : 'VMware';
    expect(await imageForHypervisor(context, 'debian-12', hypervisor, { build: false })).toBe(`debian-12-${platform}@${child.digest}`);
  });

  test('a package of the child starts from pvscsi, and has its address by vmxnet3', async () => {
    const file = join(folder, 'debian.ova');
    await home.json(['image', 'export', 'debian-12-vmware', file]);
    execFileSync('tar', ['-xf', file, '-C', folder]);
    const descriptor = await readFile(join(folder, 'debian.ovf'), 'utf8');
    expect(descriptor).toContain('<rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType>');
    expect(descriptor).toContain('<rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType>');
    const disk = join(folder, 'disk.qcow2');
    execFileSync('qemu-img', ['convert', '-f', 'vmdk', '-O', 'qcow2', join(folder, 'debian-disk1.vmdk'), disk]);
    const console = join(folder, 'console.log');
    const machine = hostProcesses.spawn([
      ...(['qemu-system-x86_64', '-machine', 'q35', '-smp', '2', '-m', '1024', '-display', 'none', '-nodefaults', '-no-user-config'] as const),
      ...acceleratorArguments(await accelerator(await home.context())),
      ...['-device', 'VGA', '-serial', `file:${console}`],
      ...['-device', 'pvscsi', '-drive', `if=none,id=disk,file=${disk},format=qcow2`, '-device', 'scsi-hd,drive=disk'],
      ...['-netdev', 'user,id=net,restrict=on', '-device', 'vmxnet3,netdev=net'],
    ]);
    const said = (): Promise<string> => readFile(console, 'utf8').catch(() => '');
    const lost = machine.ended.then(({ exitCode }): never => {
      throw new Error(`QEMU has ended with ${exitCode}`);
    });
    try {
      const answer = expect.poll(said, { timeout: 900_000, interval: 2000 });
      await Promise.race([lost, answer.toMatch(/ci-info: \|\s+en\w+\s+\|\s+True\s+\|\s+10\.0\.2\.15/)]);
    } finally {
      lost.catch(() => undefined);
      machine.kill('SIGKILL');
      await machine.ended;
    }
  });
});
