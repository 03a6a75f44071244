import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Argv, CommandResult } from '../../../src/base/process.ts';
import { CloudLab, whyNoCloudImages } from '../cloud-lab.ts';
import { VARIANTS, type Variant } from '../../support/foreign-disks.ts';
import { recordProven } from '../../support/proven-record.ts';
import { traces } from '../support.ts';

/*
 * Cloud images which the test makes of one Debian, laid out in ways of others, through a mirror on this host that signs its checksums: taken in, grown,
 * customised, looked at; three of them pass the gate. INGOT_TEST_HOME is a home that is kept, with the images.
 */

const NAMES: readonly Variant[] = ['mbr-root-first', 'gpt-bios-only', 'lvm-separate-boot', 'whole-disk', 'xfs', 'btrfs-subvolumes'];
/** What packs a file besides itself, and what the result is called. */
const PACKERS: readonly (readonly [packing: 'gz' | 'xz' | 'zst' | 'bz2', argv: Argv])[] = [
  ['gz', ['gzip', '-1', '-k', '-f']],
  ['xz', ['xz', '-0', '-k', '-f', '-T0']],
  ['zst', ['zstd', '-1', '-q', '-f']],
  ['bz2', ['bzip2', '-1', '-k', '-f']],
];
/** Whose disk is packed, and made into other formats. */
const PACKED = 'whole-disk';

const reason = await whyNoCloudImages();

describe.skipIf(reason !== undefined)(`cloud images${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let lab: CloudLab;
  const build = async (...args: string[]): Promise<unknown> => await lab.home.json(['build', ...args, '--no-gate']);

  /** It shows the way to the images of Debian 12, and says nothing of them. */
  const record = (variant: Variant, result: CommandResult): Promise<void> =>
    recordProven(
      {
        release: 'debian-12',
        arch: 'amd64',
        source: 'cloud-image',
        standIn: `a Debian 12 that the test lays out: ${VARIANTS[variant]}`,
        by: 'tests/system/full/cloud-image.test.ts',
      },
      result,
    );

  beforeAll(async () => {
    lab = await CloudLab.make(NAMES);
    await lab.publish();
  });

  afterAll(async () => {
    expect(await traces(join(lab.home.root, 'run'))).toEqual([]);
    await lab[Symbol.asyncDispose]();
  });

  const GROWS = NAMES.filter((variant) => variant !== 'mbr-root-first');
  test.each(GROWS)('%s is taken in, grown and customised', async (variant) => {
    const steps = [
      '[ "$(df --output=size -k / | tail -n 1)" -gt 4000000 ]',
      'ls /boot/vmlinuz-* /home',
      variant === 'lvm-separate-boot' ? 'mountpoint /boot' : variant === 'btrfs-subvolumes' ? 'mountpoint /home' : 'true',
      'echo yes >/etc/customised',
    ];
    const lines = steps.map((run) => `  - run: ${JSON.stringify(run)}\n`).join('');
    await build(await lab.template(variant, `name: ${variant}\nfrom: debian-${variant}\ndisk: { size: 5GiB }\nsteps:\n${lines}`));
  });

  /** Adds another form of the disk to the mirror, and builds of it. */
  async function buildAs(name: string, file: string, argv: Argv, image: Parameters<CloudLab['add']>[2]): Promise<void> {
    const { host } = await lab.home.context();
    await host.processes.run(argv, { timeout: 600 });
    await lab.add(file, `debian-${name}`, image);
    await lab.publish();
    await build(`debian-${name}`);
  }

  test.each(PACKERS)('%s is unpacked', async (packing, argv) => {
    await buildAs(packing, `${PACKED}.qcow2.${packing}`, [...argv, lab.file(PACKED)], { compression: packing });
  });

  test.each(['raw', 'vmdk'] as const)('%s is made a qcow2', async (format) => {
    const options = format === 'vmdk' ? ['-o', 'subformat=streamOptimized'] : [];
    const target = join(lab.mirror.folder, `disk.${format}`);
    await buildAs(format, `disk.${format}`, ['qemu-img', 'convert', '-O', format, ...options, lab.file(PACKED), target], { format });
  });

  test('a disk in an archive is taken out of it', async () => {
    const { folder } = lab.mirror;
    const argv: Argv = ['tar', '-C', folder, '-czf', join(folder, 'archive.tar.gz'), `${PACKED}.qcow2`];
    await buildAs('member', 'archive.tar.gz', argv, { compression: 'gz', member: '*.qcow2' });
  });

  test('what has another partition behind its root does not grow, and says what is there', async () => {
    const { exitCode, stderr } = await lab.home.ingot(['build', 'debian-mbr-root-first', '--size', '6GiB', '--no-gate']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('behind its root are other partitions');
    expect(stderr).toMatch(/partition 2/);
  });

  test('a disk without a root shows what is on it', async () => {
    const { host } = await lab.home.context();
    const disk = join(lab.mirror.folder, 'empty.raw');
    await host.processes.run(['truncate', '-s', '64M', disk]);
    await host.processes.run(['sfdisk', '--quiet', disk], { stdin: 'label: gpt\nunit: sectors\nstart=2048, size=65536, name=nothing-here\n' });
    await lab.add('empty.raw', 'debian-empty', { format: 'raw' });
    await lab.publish();
    const { exitCode, stderr } = await lab.home.ingot(['build', 'debian-empty', '--no-gate']);
    expect(exitCode).toBe(7);
    expect(stderr).toContain('root-missing');
    expect(stderr).toContain('nothing-here');
  });

  test('siblings with one XFS are open at the same time', async () => {
    const files = await Promise.all(
      ['one', 'two'].map((name) =>
        lab.template(`sibling-${name}`, `name: sibling-${name}\nfrom: debian-xfs\nsteps: [{ run: sleep 3; echo ${name} >/etc/name }]\n`),
      ),
    );
    await build(...files, '--jobs', '2');
  });

  test('an image is not downloaded again, works offline, and is pinned by a lock file', async () => {
    const file = await lab.template('pinned', 'from: debian-xfs\nsteps: [{ run: "true" }]\n');
    await build(file);
    lab.mirror.asked.length = 0;
    await build(file);
    expect(lab.mirror.asked.filter((path) => path.endsWith('.qcow2'))).toEqual([]);
    await lab.home.json(['lock', file]);
    expect(await readFile(join(lab.home.root, 'work', 'ingot.lock'), 'utf8')).toMatch(/digest: sha256:[0-9a-f]{64}/);
    lab.mirror.asked.length = 0;
    await build(file, '--frozen');
    await build(file, '--offline');
    expect(lab.mirror.asked).toEqual([]);
  });

  test.each(['gpt-bios-only', 'lvm-separate-boot', 'btrfs-subvolumes', 'xfs', 'mbr-root-first'] satisfies Variant[])('%s passes the gate', async (variant) => {
    const file = await lab.template(
      `gate-${variant}`,
      `name: gate-${variant}\nfrom: debian-${variant}\nsteps:\n  - run: echo yes >/etc/customised\ntests:\n  - command: grep -q yes /etc/customised\n`,
    );
    const result = await lab.home.ingot(['build', file, '--json']);
    await record(variant, result);
    expect(result.exitCode, result.stderr).toBe(0);
  });
});
