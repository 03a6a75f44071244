import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MINIMUM_DISK, planDisk, sfdiskScript } from './layout.ts';

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
        const ids = [disk.uuid, disk.filesystemUuid, disk.root.uuid, disk.efi.uuid, disk.biosBoot?.uuid ?? ''];
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
