import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../../src/base/programs.ts';
import { realHost } from '../../../src/base/host.ts';
import { CloudMirror } from '../../support/cloud-mirror.ts';
import { makeVariant, type Variant } from '../../support/foreign-disks.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * Cloud images which the test makes of one Debian, laid out in ways of others, through a mirror on this host that signs its checksums: taken in, grown,
 * customised, looked at; two of them pass the gate.
 */

const VARIANTS: readonly Variant[] = ['mbr-root-first', 'lvm-separate-boot', 'whole-disk', 'xfs', 'btrfs-subvolumes'];
const ARCHIVE = { suites: ['bookworm', 'bookworm-updates'], securitySuite: 'bookworm-security', components: ['main', 'non-free-firmware'] };

const reason = whyNot() ?? ((await findProgram(realHost(), 'gpg')) === undefined ? 'there is no gpg to sign a mirror with' : undefined);

describe.skipIf(reason !== undefined)(`cloud images${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let mirror: CloudMirror;

  const template = async (name: string, text: string): Promise<string> => {
    const file = join(home.root, 'work', `${name}.yaml`);
    await mkdir(join(home.root, 'work'), { recursive: true });
    await writeFile(file, text);
    return file;
  };

  beforeAll(async () => {
    home = await TestHome.make();
    await home.json(['build', await template('tools', 'from: debian-12\npackages: [xfsprogs, btrfs-progs]\n'), '--no-gate', '--yes']);
    mirror = await CloudMirror.open(join(home.root, 'mirror'));
    const context = await home.context();
    for (const variant of VARIANTS) {
      await makeVariant(context, 'tools:latest', variant, join(mirror.folder, `${variant}.qcow2`));
      await mirror.add(`${variant}.qcow2`, { id: `debian-${variant}`, archive: ARCHIVE });
    }
    const broken = join(mirror.folder, 'mbr-root-first.qcow2');
    await context.host.processes.run(['xz', '-0', '-k', '-T0', broken]);
    await mirror.add('mbr-root-first.qcow2.xz', { id: 'debian-packed', archive: ARCHIVE }, { compression: 'xz' });
    for (const [format, name] of [
      ['raw', 'debian-raw'],
      ['vmdk', 'debian-vmdk'],
    ] as const) {
      const target = join(mirror.folder, `disk.${format}`);
      const options = format === 'vmdk' ? ['-o', 'subformat=streamOptimized'] : [];
      await context.host.processes.run(['qemu-img', 'convert', '-O', format, ...options, broken, target]);
      await mirror.add(`disk.${format}`, { id: name, archive: ARCHIVE }, { format });
    }
    await mirror.publish();
    await mirror.catalog(join(home.root, 'catalog'), { distribution: 'debian' });
  });

  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const GROWS: readonly Variant[] = ['lvm-separate-boot', 'whole-disk', 'xfs', 'btrfs-subvolumes'];
  test.each(GROWS)('%s is taken in, grown and customised', async (variant) => {
    const look = 'df --output=size -k / | tail -n 1 >/etc/size; ls /boot/vmlinuz-* >/etc/kernels; [ -d /home ]';
    const file = await template(
      variant,
      `from: debian-${variant}\ndisk: { size: 5GiB }\nsteps:\n  - run: ${look}\n  - run: '[ "$(cat /etc/size)" -gt 4000000 ]'\n`,
    );
    expect(await home.json(['build', file, '--no-gate'])).toMatchObject({ status: expect.anything() });
  });

  test.each(['debian-packed', 'debian-raw', 'debian-vmdk'])('%s is unpacked, or made a qcow2', async (release) => {
    await home.json(['build', release, '--no-gate']);
  });

  test('what has another partition behind its root does not grow, and says what is there', async () => {
    const { exitCode, stderr } = await home.ingot(['build', 'debian-mbr-root-first', '--size', '6GiB', '--no-gate']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('behind its root are other partitions');
    expect(stderr).toMatch(/partition 2 .*swap|partition 2/);
  });

  test('an image is not downloaded again, works offline, and is pinned by a lock file', async () => {
    const file = await template('pinned', 'from: debian-xfs\nsteps: [{ run: "true" }]\n');
    await home.json(['build', file, '--no-gate']);
    mirror.asked.length = 0;
    await home.json(['build', file, '--no-gate']);
    expect(mirror.asked.filter((path) => path.endsWith('.qcow2'))).toEqual([]);
    await home.json(['lock', file]);
    expect(await readFile(join(home.root, 'work', 'ingot.lock'), 'utf8')).toMatch(/digest: sha256:[0-9a-f]{64}/);
    mirror.asked.length = 0;
    await home.json(['build', file, '--no-gate', '--frozen']);
    await home.json(['build', file, '--no-gate', '--offline']);
    expect(mirror.asked).toEqual([]);
  });

  test('a list of checksums that is not what was signed, and an image that is not what the list says, are refused', async () => {
    await mirror.publish((text) => text.replace(/^[0-9a-f]{8}/gm, 'deadbeef'));
    const wrongSignature = await home.ingot(['build', 'debian-xfs', '--no-gate']);
    expect(wrongSignature.stderr).toContain('signature-wrong');
    await mirror.publish();
    await writeFile(join(mirror.folder, 'mbr-root-first.qcow2.xz'), 'another file');
    const other = await TestHome.make();
    await mirror.catalog(join(other.root, 'catalog'), { distribution: 'debian' });
    const wrongChecksum = await other.ingot(['build', 'debian-packed', '--no-gate']);
    await other[Symbol.asyncDispose]();
    expect(wrongChecksum.stderr).toContain('download-mismatch');
  });

  test.each(['mbr-root-first', 'xfs'])('%s passes the gate', async (variant) => {
    const file = await template(
      `gate-${variant}`,
      `from: debian-${variant}\nsteps:\n  - run: echo yes >/etc/customised\ntests:\n  - run: grep -q yes /etc/customised\n`,
    );
    const { exitCode, stderr } = await home.ingot(['build', file]);
    expect(exitCode, stderr).toBe(0);
  });
});
