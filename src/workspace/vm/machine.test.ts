import { expect, test } from 'vitest';
import { hostPath } from '../../base/types.ts';
import { helperFiles } from './build.ts';
import { vmArguments, vmFiles, vmShape, vmSize, type VmSpec } from './machine.ts';

const spec: VmSpec = { arch: 'amd64', accelerator: { kind: 'tcg' }, cpus: 2, memory: 1024, files: helperFiles('/home/h') };

test('the root disk is read-only, and no disk of an image is named', () => {
  const words = vmArguments(spec, vmFiles('/run/1/vm'), { sandbox: true, incoming: false });
  const disks = words.filter((_, i) => words[i - 1] === '-blockdev').map((text) => JSON.parse(text));
  expect(disks).toEqual([
    { driver: 'raw', 'node-name': 'root', 'read-only': true, file: { driver: 'file', filename: '/home/h/root.ext4', 'read-only': true } },
  ]);
  expect(words).toContain('virtio-scsi-pci,id=scsi');
  expect(words).not.toContain('-incoming');
});

test('a saved state fits machines of the same shape, wherever their files are', () => {
  const elsewhere = { ...spec, files: { kernel: hostPath('/x'), initrd: hostPath('/y'), root: hostPath('/z') } };
  expect(vmShape(elsewhere)).toEqual(vmShape(spec));
  expect(vmShape({ ...spec, memory: 2048 })).not.toEqual(vmShape(spec));
  expect(vmShape({ ...spec, cpus: 4 })).not.toEqual(vmShape(spec));
});

test('a comma in a path stays in it', () => {
  const words = vmArguments(spec, vmFiles('/a,b'), { sandbox: false, incoming: true });
  expect(words).toContain('socket,id=helper,path=/a,,b/helper.sock,server=on,wait=off');
  expect(words.slice(-2)).toEqual(['-incoming', 'defer']);
});

test('its size follows from the host, not from what is free just now', () => {
  expect(vmSize({ cpus: 64, memory: 256 * 2 ** 30 })).toEqual({ cpus: 8, memory: 2048 });
  expect(vmSize({ cpus: 1, memory: 4 * 2 ** 30 })).toEqual({ cpus: 1, memory: 1024 });
});
