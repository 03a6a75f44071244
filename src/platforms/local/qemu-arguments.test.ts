import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { FirmwareFiles } from './firmware.ts';
import type { Accelerator, Architecture, Firmware, GuestDisk, GuestSpec } from './guest-spec.ts';
import { qemuArguments } from './qemu-arguments.ts';

const GOLDEN = fileURLToPath(new URL('../../../tests/golden/qemu', import.meta.url));
const FIRMWARE: FirmwareFiles = { code: hostPath('/firmware/CODE.fd'), variables: hostPath('/firmware/VARS.fd') };

function diskOf(chain: readonly HostPath[], name = 'root'): GuestDisk {
  return { name, chain, file: hostPath(`/home/vms/web/${name}file.qcow2`) };
}

function specOf(arch: Architecture, firmware: Firmware, kind: Accelerator['kind'], more: Partial<GuestSpec> = {}): GuestSpec {
  return {
    name: 'web',
    id: '6f6a2b1e-6f9f-4a53-9a0c-0d8f3b0c1d2e',
    folder: hostPath('/home/vms/web'),
    arch,
    firmware,
    accelerator: { kind, proven: true, reason: 'a test' },
    cpus: 2,
    memory: 2 ** 30,
    disks: [diskOf([hostPath('/home/blobs/base'), hostPath('/home/blobs/role')])],
    seed: hostPath('/home/vms/web/seed.img'),
    mac: '52:54:00:12:34:56',
    ssh: { port: 22_200, user: 'debian', key: hostPath('/home/keys/id_ed25519'), knownHosts: hostPath('/home/vms/web/known_hosts') },
    ...more,
  };
}

describe('the command line', () => {
  const cases: readonly (readonly [Architecture, Firmware, Accelerator['kind']])[] = [
    ['amd64', 'bios', 'kvm'],
    ['amd64', 'bios', 'tcg'],
    ['amd64', 'uefi', 'kvm'],
    ['amd64', 'uefi', 'tcg'],
    ['amd64', 'uefi-secure', 'kvm'],
    ['arm64', 'uefi', 'kvm'],
    ['arm64', 'uefi', 'tcg'],
    ['arm64', 'uefi', 'hvf'],
  ];
  test.each(cases)('%s with %s and %s', async (arch, firmware, kind) => {
    const words = qemuArguments(specOf(arch, firmware, kind), {
      firmware: firmware === 'bios' ? undefined : FIRMWARE,
      disposable: false,
      sandbox: kind !== 'hvf',
    });
    await expect(`${words.join('\n')}\n`).toMatchFileSnapshot(join(GOLDEN, `${arch}-${firmware}-${kind}.txt`));
  });

  test.each([
    ['amd64', 'ide-cd,drive=cdrom'],
    ['arm64', 'scsi-cd,drive=cdrom'],
  ] as const)('an installer on %s has its medium in a drive, a disk that stands on nothing, and no second start', (arch, drive) => {
    const disks = [{ name: 'root', chain: [], file: hostPath('/home/run/disk.qcow2') }];
    const spec = specOf(arch, arch === 'arm64' ? 'uefi' : 'bios', 'tcg', { cdrom: hostPath('/home/a,b.iso'), endsAtReboot: true, disks, seed: undefined });
    const words = qemuArguments(spec, { firmware: arch === 'arm64' ? FIRMWARE : undefined, disposable: true, sandbox: true });
    expect(words).toEqual(expect.arrayContaining([drive, '-no-reboot']));
    expect(words.find((word) => word.includes('"cdrom"'))).toContain('"filename":"/home/a,b.iso","read-only":true');
    expect(words.find((word) => word.includes('disk.qcow2'))).toContain('"backing":null');
  });

  test('a kernel of its own, no seed, and a disk that is thrown away', async () => {
    const kernel = { image: hostPath('/boot/vmlinuz'), initrd: hostPath('/boot/initrd'), append: 'root=LABEL=root ro' };
    const words = qemuArguments(specOf('amd64', 'bios', 'tcg', { kernel, seed: undefined }), { firmware: undefined, disposable: true, sandbox: true });
    await expect(`${words.join('\n')}\n`).toMatchFileSnapshot(join(GOLDEN, 'kernel-disposable.txt'));
  });

  test('slots, a disk in one, shared folders, a TPM', async () => {
    const shares = [
      { tag: 'share0', kind: 'virtiofs', host: '/src', readOnly: false },
      { tag: 'share1', kind: '9p', host: '/a,b', readOnly: true },
    ] as const;
    const disks = [diskOf([hostPath('/home/blobs/base')]), { ...diskOf([], 'data'), slot: 1 }];
    const words = qemuArguments(specOf('amd64', 'uefi-secure', 'kvm', { disks, slots: 2, shares, tpm: true }), {
      firmware: FIRMWARE,
      disposable: false,
      sandbox: true,
    });
    await expect(`${words.join('\n')}\n`).toMatchFileSnapshot(join(GOLDEN, 'devices.txt'));
    const arm = qemuArguments(specOf('arm64', 'uefi', 'tcg', { shares, tpm: true }), { firmware: FIRMWARE, disposable: false, sandbox: true });
    expect(arm).toEqual(expect.arrayContaining(['virt,gic-version=max,memory-backend=ram', 'tpm-tis-device,tpmdev=tpm0']));
  });

  test('a card on a network of guests sends its frames over the loopback interface', () => {
    const network = { mac: '52:54:00:00:00:02', group: '239.255.1.2', port: 20_000 };
    const words = qemuArguments(specOf('amd64', 'bios', 'tcg', { network }), { firmware: undefined, disposable: true, sandbox: true });
    const at = words.indexOf('socket,id=net1,mcast=239.255.1.2:20000,localaddr=127.0.0.1');
    expect(words.slice(at - 1, at + 3)).toEqual(['-netdev', words[at], '-device', 'virtio-net-pci,netdev=net1,mac=52:54:00:00:00:02,romfile=']);
  });

  test.each([
    ['amd64', 'pc.ram'],
    ['arm64', 'mach-virt.ram'],
  ] as const)('the memory of %s can be a file, under the name that it has anyway', (arch, name) => {
    const memoryFile = { path: hostPath('/home/cache/a, b'), written: false };
    const words = qemuArguments(specOf(arch, 'uefi', 'tcg', { memoryFile }), { firmware: FIRMWARE, disposable: false, sandbox: true, incoming: true });
    expect(JSON.parse(words[words.indexOf('-object') + 1] ?? '')).toMatchObject({ id: name, 'mem-path': memoryFile.path, size: 2 ** 30, share: false });
    expect(words).toContain(`memory-backend=${name}`);
    expect(words.slice(-2)).toEqual(['-incoming', 'defer']);
  });

  test('an isolated guest can be logged in to, and reaches nothing', () => {
    const network = (more: Partial<GuestSpec>): string | undefined =>
      qemuArguments(specOf('amd64', 'bios', 'tcg', more), { firmware: undefined, disposable: true, sandbox: true }).find((word) => word.startsWith('user,'));
    expect(network({ isolated: true })).toBe('user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:22200-:22');
    const forwards = [{ protocol: 'udp', address: '0.0.0.0', host: 5300, guest: 53 }] as const;
    expect(network({ forwards })).toBe('user,id=net0,hostfwd=tcp:127.0.0.1:22200-:22,hostfwd=udp:0.0.0.0:5300-:53');
    expect(network({})).toBe('user,id=net0,hostfwd=tcp:127.0.0.1:22200-:22');
  });
});

const nodeSchema = z.object({
  driver: z.string(),
  'node-name': z.string(),
  'read-only': z.boolean().optional(),
  file: z.object({ filename: z.string() }),
  backing: z.string().nullable().optional(),
});

/** The block device graph of a command line, by node name. */
function graphOf(words: readonly string[]): Map<string, z.output<typeof nodeSchema>> {
  const nodes = words.flatMap((word, index) => (words[index - 1] === '-blockdev' ? [nodeSchema.parse(JSON.parse(word))] : []));
  return new Map(nodes.map((node) => [node['node-name'], node]));
}

describe('the block device graph', () => {
  test('is the whole chain, each layer read-only on the one below it, and no header is followed', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ minLength: 1 }).map((name) => hostPath(`/blobs/${name}`)),
          { maxLength: 30 },
        ),
        (chain) => {
          const graph = graphOf(
            qemuArguments(specOf('amd64', 'bios', 'tcg', { disks: [diskOf(chain)] }), { firmware: undefined, disposable: false, sandbox: true }),
          );
          const walked: string[] = [];
          let node = graph.get('root-rootfile');
          expect(node?.['read-only']).toBeUndefined();
          while (node?.backing !== null) {
            expect(node?.backing).toBeTypeOf('string');
            node = graph.get(node?.backing ?? '');
            expect(node).toMatchObject({ driver: 'qcow2', 'read-only': true });
            walked.unshift(node?.file.filename ?? '');
          }
          expect(walked).toEqual(chain);
        },
      ),
    );
  });

  test('a disk that stands on nothing has a device and nodes of its own', () => {
    const disks = [diskOf([hostPath('/blobs/base')]), diskOf([], 'data')];
    const words = qemuArguments(specOf('amd64', 'bios', 'tcg', { disks }), { firmware: undefined, disposable: false, sandbox: true });
    expect(graphOf(words).get('data-datafile')).toMatchObject({ backing: null });
    const devices = words.filter((word) => word.startsWith('virtio-blk-pci,id='));
    expect(devices).toEqual([
      'virtio-blk-pci,id=disk-root,drive=root-rootfile,bootindex=1,serial=root',
      'virtio-blk-pci,id=disk-data,drive=data-datafile,serial=data',
    ]);
  });

  test('nodes are named before they are referred to', () => {
    const words = qemuArguments(specOf('amd64', 'bios', 'tcg'), { firmware: undefined, disposable: false, sandbox: true });
    const at = (text: string): number => words.findIndex((word) => word.includes(text));
    expect(at('"node-name":"root-layer0"')).toBeLessThan(at('"backing":"root-layer0"'));
    expect(at('"node-name":"root-layer1"')).toBeLessThan(at('"backing":"root-layer1"'));
  });
});

test('a comma in a path ends no option', () => {
  const words = qemuArguments(specOf('amd64', 'bios', 'tcg', { folder: hostPath('/a,b/vms/web') }), { firmware: undefined, disposable: false, sandbox: true });
  const sockets = words.filter((word) => word.startsWith('socket,'));
  expect(sockets).toHaveLength(3);
  for (const word of sockets) expect(word).toContain('path=/a,,b/vms/web/');
  expect(words[words.indexOf('-pidfile') + 1]).toBe('/a,b/vms/web/qemu.pid');
});

test('memory is never rounded down', () => {
  const words = qemuArguments(specOf('amd64', 'bios', 'tcg', { memory: 2 ** 30 + 1 }), { firmware: undefined, disposable: false, sandbox: true });
  expect(words[words.indexOf('-m') + 1]).toBe('1025M');
});
