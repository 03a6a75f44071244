import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filesystemSchema, MINIMUM_DISK, planDisk, rootFilesystem, sfdiskScript, type DiskRequest } from './layout.ts';
import { MINIMUM_FILESYSTEM } from './mounts.ts';

const MIB = 2 ** 20;
const size = fc.integer({ min: MINIMUM_DISK, max: 2 ** 42 });
const arch = fc.constantFrom('amd64', 'arm64');

describe('a disk', () => {
  test('holds its partitions in order, aligned, without overlap, and root last', () => {
    fc.assert(
      fc.property(size, arch, (bytes, architecture) => {
        const disk = planDisk({ size: bytes, filesystem: 'ext4', arch: architecture, seed: 'x' });
        const partitions = [disk.biosBoot, disk.efi, disk.root].filter((each) => each !== undefined);
        let end = MIB;
        for (const partition of partitions) {
          expect(partition.start % MIB).toBe(0);
          expect(partition.start).toBeGreaterThanOrEqual(end);
          end = partition.start + partition.size;
        }
        expect(partitions.at(-1)).toBe(disk.root);
        expect(end).toBeLessThanOrEqual(disk.size - MIB); // room for the second partition table
        expect(disk.biosBoot === undefined).toBe(architecture === 'arm64');
      }),
    );
  });

  test('gets its identifiers from the seed alone, all different, and in the form of UUIDs', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const make = () => planDisk({ size: MINIMUM_DISK, filesystem: 'ext4', arch: 'amd64', seed });
        const disk = make();
        expect(make()).toEqual(disk);
        const ids = [disk.uuid, disk.filesystemUuid, disk.root.uuid, disk.efi?.uuid ?? '', disk.biosBoot?.uuid ?? ''];
        expect(new Set(ids.map((id) => id.toLowerCase())).size).toBe(ids.length);
        for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i);
      }),
    );
  });

  test('that is too small is refused', () => {
    expect(() => planDisk({ size: MINIMUM_DISK - 1, filesystem: 'ext4', arch: 'amd64', seed: '' })).toThrow(
      expect.objectContaining({ code: 'disk-too-small' }),
    );
  });
});

describe('a disk profile', () => {
  const base: DiskRequest = { size: MINIMUM_DISK, filesystem: 'ext4', arch: 'amd64', seed: 'x' };
  const plan = (changes: Partial<DiskRequest>) => planDisk({ ...base, ...changes });
  const paths = ['/var', '/var/log', '/var/log/journal', '/var-x', '/home', '/srv', '/srv/data', '/opt', '/data'];
  const filesystem = fc.constantFrom(...filesystemSchema.options);
  const partitions = fc.uniqueArray(
    fc.record({ mount: fc.constantFrom(...paths), filesystem, more: fc.integer({ min: 0, max: 2 ** 34 }) }).map(({ mount, filesystem: kind, more }) => ({
      mount,
      filesystem: kind,
      size: MINIMUM_FILESYSTEM[kind] + more,
    })),
    { selector: ({ mount }) => mount },
  );

  test('keeps every partition aligned, apart, large enough, outer mounts first, and root last', () => {
    fc.assert(
      fc.property(
        partitions,
        fc.constantFrom('bios', 'uefi', 'both'),
        fc.boolean(),
        fc.integer({ min: 2 ** 37, max: 2 ** 42 }),
        (wanted, firmware, lvm, bytes) => {
          const disk = plan({ size: bytes, partitions: wanted, firmware, lvm });
          const mounts = disk.mounts ?? [];
          const all = [disk.biosBoot, disk.efi, ...mounts, disk.root].filter((each) => each !== undefined);
          let end = MIB;
          for (const partition of all) {
            expect(partition.start % MIB).toBe(0);
            expect(partition.start).toBeGreaterThanOrEqual(end);
            end = partition.start + partition.size;
          }
          expect(end).toBeLessThanOrEqual(disk.size - MIB);
          expect(new Set(all.map(({ number }) => number)).size).toBe(all.length);
          expect(new Set(all.map(({ uuid }) => uuid)).size).toBe(all.length);
          expect(mounts).toHaveLength(wanted.length);
          for (const { mount, size: asked } of wanted) expect(mounts.find((each) => each.mount === mount)?.size).toBeGreaterThanOrEqual(asked);
          for (const [i, { mount }] of mounts.entries()) expect(mounts.slice(i + 1).some((later) => mount.startsWith(`${later.mount}/`))).toBe(false);
          const volume = rootFilesystem(disk);
          expect(volume.start).toBeGreaterThanOrEqual(disk.root.start);
          expect(volume.start + volume.size).toBeLessThanOrEqual(disk.root.start + disk.root.size);
        },
      ),
    );
  });

  test('does not depend on the order in which partitions are named', () => {
    const one = { mount: '/var', size: 2 ** 30, filesystem: 'ext4' } as const;
    const two = { mount: '/home', size: 2 ** 30, filesystem: 'xfs' } as const;
    expect(plan({ size: 2 ** 33, partitions: [one, two] })).toEqual(plan({ size: 2 ** 33, partitions: [two, one] }));
  });

  test('leaves out what the other firmware needs', () => {
    expect(plan({ firmware: 'uefi' }).biosBoot).toBeUndefined();
    expect(plan({ firmware: 'bios' }).efi).toBeUndefined();
    expect(plan({ firmware: 'both' })).toEqual(plan({}));
    expect(plan({ firmware: 'bios' }).root.size).toBeGreaterThan(plan({}).root.size);
  });

  test.each([
    ['disk-too-small', { partitions: [{ mount: '/var', size: 2 ** 30, filesystem: 'ext4' }] }],
    ['partition-too-small', { size: 2 ** 34, partitions: [{ mount: '/var', size: MIB, filesystem: 'ext4' }] }],
    ['partition-too-small', { size: 2 ** 34, partitions: [{ mount: '/var', size: 64 * MIB, filesystem: 'xfs' }] }],
    ['mount-refused', { size: 2 ** 34, partitions: [{ mount: '/boot/efi', size: 2 ** 30, filesystem: 'ext4' }] }],
    ['mount-refused', { size: 2 ** 34, partitions: [{ mount: '/', size: 2 ** 30, filesystem: 'ext4' }] }],
    ['mount-refused', { size: 2 ** 34, partitions: [{ mount: '/var/../etc', size: 2 ** 30, filesystem: 'ext4' }] }],
    ['mount-refused', { size: 2 ** 34, partitions: [{ mount: '/var/', size: 2 ** 30, filesystem: 'ext4' }] }],
    ['mount-twice', { size: 2 ** 34, partitions: [0, 1].map(() => ({ mount: '/var', size: 2 ** 30, filesystem: 'ext4' })) }],
    ['partitions-too-many', { size: 2 ** 36, partitions: Array.from({ length: 13 }, (_, i) => ({ mount: `/d${i}`, size: 2 ** 30, filesystem: 'ext4' })) }],
    ['firmware-unsupported', { arch: 'arm64', firmware: 'bios' }],
  ] satisfies [string, Partial<DiskRequest>][])('is refused with %s: %j', (code, changes) => {
    expect(() => plan(changes)).toThrow(expect.objectContaining({ code }));
  });
});

test('the partition script names every partition with its number, type and identifier', () => {
  const disk = planDisk({ size: MINIMUM_DISK, filesystem: 'ext4', arch: 'amd64', seed: 'x' });
  expect(sfdiskScript(disk)).toMatchInlineSnapshot(`
    "label: gpt
    label-id: 7286EA52-9C56-42E5-BB09-00925ADB0952
    unit: sectors
    first-lba: 34

    1 : start=135168, size=4057088, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=EAA448B1-0228-4DE5-BC28-6361C3EF1DE7, name="root"
    14 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=E0133513-1B13-4E04-AD2B-94661FB1ECE8, name="bios"
    15 : start=4096, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=A8B5D129-C6DF-42DB-9C06-389CBC880A6C, name="efi"
    "
  `);
});
