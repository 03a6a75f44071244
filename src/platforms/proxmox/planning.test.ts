import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../../base/errors.ts';
import { checkAddress } from './address.ts';
import { storageSchema, type PveStorage } from './answers.ts';
import { grantLine } from './failures.ts';
import { KeyedQueue } from '../keyed-queue.ts';
import { lackingPrivileges, neededPrivileges, tokenScript } from './privileges.ts';
import { parseProperties, propertyString } from './properties.ts';
import { planStorage } from './storage-planner.ts';
import { parseFingerprint } from '../trust.ts';
import { parseServerUrl, parseTokenId } from './target.ts';
import { isBase, standsOn, unconverted } from './template-state.ts';
import { addressIn } from './trial.ts';
import { cloudInitDevice, cpuTypeFor } from './vm-config.ts';

const GIB = 2 ** 30;
const storage = (name: string, type: string, content: string, more: object = {}): PveStorage =>
  storageSchema.parse({ storage: name, type, content, active: 1, enabled: 1, avail: 100 * GIB, ...more });
const SIZE = { virtual: 10 * GIB, file: GIB };

describe('the storage planner', () => {
  test('uploads to a file storage and lays disks where clones can be linked', () => {
    const plan = planStorage(
      'pve',
      [storage('local', 'dir', 'iso,import'), storage('thick', 'lvm', 'images'), storage('local-lvm', 'lvmthin', 'images,rootdir')],
      SIZE,
      {},
    );
    expect([plan.upload.storage, plan.disks.storage, plan.format, plan.linked, plan.lacksContent]).toEqual(['local', 'local-lvm', undefined, true, false]);
    expect(plan.why.join('\n')).toMatch(/disks lie on local-lvm \(lvmthin\), as raw: the best of/);
  });

  test('asks for the format on files alone, and says what a storage has to get first', () => {
    const plan = planStorage('pve', [storage('nas', 'nfs', 'images,iso')], SIZE, {});
    expect([plan.format, plan.lacksContent]).toEqual(['qcow2', true]);
    expect(plan.why.join('\n')).toContain('pvesm set nas --content images,iso,import');
  });

  test('says of each storage why it cannot', () => {
    const all = [storage('ceph', 'cephfs', 'iso,import'), storage('small', 'lvmthin', 'images', { avail: GIB })];
    expect(() => planStorage('pve', all, SIZE, {})).toThrow(
      expect.objectContaining({ code: 'storage-full', detail: expect.stringContaining('cephfs holds no disks of VMs') }),
    );
    expect(() => planStorage('pve', all, SIZE, { storage: 'nothing' })).toThrow(expect.objectContaining({ code: 'storage-unknown' }));
    expect(() => planStorage('pve', [...all, storage('big', 'lvmthin', 'images')], SIZE, { uploadStorage: 'big' })).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('lvmthin takes no uploads') }),
    );
  });

  test('is the same whatever the order, and never chooses what cannot', () => {
    const one = fc.record({
      type: fc.constantFrom('dir', 'nfs', 'lvm', 'lvmthin', 'zfspool', 'rbd', 'cephfs', 'pbs'),
      content: fc.subarray(['images', 'import', 'iso']),
      avail: fc.constantFrom(GIB, 20 * GIB, 200 * GIB),
      shared: fc.boolean(),
      active: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), (all) => {
        const storages = all.map(({ content, ...rest }, index) => storage(`s${index}`, rest.type, content.join(','), rest));
        const plan = (order: readonly PveStorage[]): unknown => {
          try {
            const made = planStorage('pve', order, SIZE, {});
            expect(made.disks.avail).toBeGreaterThanOrEqual(SIZE.virtual);
            expect([made.upload.active, made.disks.active, made.disks.content.includes('images')]).toEqual([true, true, true]);
            return [made.upload.storage, made.disks.storage];
          } catch (error) {
            if (error instanceof IngotError) return error.code;
            throw error;
          }
        };
        expect(plan(storages.toReversed())).toEqual(plan(storages));
      }),
    );
  });
});

describe('what a target is given', () => {
  test.each([
    ['192.168.1.10', 'https://192.168.1.10:8006'],
    ['https://pve.lan/', 'https://pve.lan:8006'],
    ['https://pve.lan:443', 'https://pve.lan'],
    ['https://[2001:db8::1]:8006/#v1', 'https://[2001:db8::1]:8006'],
  ])('%s is %s', (text, url) => {
    expect(parseServerUrl(text)).toBe(url);
  });

  test('an address without TLS or with a user is refused, and a secret in the wrong place is not shown', () => {
    expect(() => parseServerUrl('http://pve:8006')).toThrow(/https/);
    expect(() => parseServerUrl('https://root:geheim@pve:8006')).toThrow(expect.not.objectContaining({ message: expect.stringContaining('geheim') }));
    expect(parseTokenId('ingot@pve!home')).toBe('ingot@pve!home');
    expect(() => parseTokenId('ingot@pve!home=geheim')).toThrow(expect.not.objectContaining({ message: expect.stringContaining('geheim') }));
    const pairs = 'ab'.repeat(32);
    expect(parseFingerprint(pairs)).toBe(parseFingerprint(`sha256:${(pairs.toUpperCase().match(/../g) ?? []).join(':')}`));
    expect(() => parseFingerprint('ab:cd')).toThrow(/fingerprint/);
  });
});

describe('privileges', () => {
  test('what holds above holds below only where it is passed on, and the two majors differ', () => {
    const all = Object.fromEntries(neededPrivileges(9).map(({ privilege }) => [privilege, 1]));
    expect(lackingPrivileges({ '/': all }, 9, [])).toEqual([]);
    expect(lackingPrivileges({ '/': all }, 8, []).map(({ privilege }) => privilege)).toEqual(['VM.Monitor']);
    const kept = Object.fromEntries(Object.keys(all).map((privilege) => [privilege, 0]));
    expect(lackingPrivileges({ '/': kept }, 9, [])).toHaveLength(neededPrivileges(9).length);
    expect(lackingPrivileges({ '/vms': all, '/sdn/zones': all, '/storage/local': all }, 9, ['local'])).toEqual([]);
    expect(lackingPrivileges({ '/vms': all, '/sdn/zones': all, '/storage/local': all }, 9, ['local', 'tank']).every(({ path }) => path === '/storage')).toBe(
      true,
    );
  });

  test('the script gives the least, to the user and to the token', () => {
    const script = tokenScript(8, 'ingot@pve!home');
    expect(script).toContain('VM.Monitor');
    expect(script).not.toMatch(/GuestAgent|Sys\.|Administrator|Permissions\.Modify/);
    expect(script).toContain("pveum acl modify /vms --tokens 'ingot@pve!home' --roles Ingot");
    expect(tokenScript(9, 'root@pam!x')).not.toContain('--users');
    expect(grantLine('/vms', ['VM.Clone'], 'a@pve!b')).toMatch(/VM\.Clone.*--users 'a@pve'.*--tokens 'a@pve!b'/);
  });
});

test('property strings come back as they went, and a value never becomes several', () => {
  const value = fc.stringMatching(/^[A-Za-z0-9:._/+-]{1,20}$/);
  fc.assert(
    fc.property(value, fc.dictionary(fc.stringMatching(/^[a-z][a-z-]{0,8}$/), value), (first, rest) => {
      expect(parseProperties(propertyString(first, rest))).toEqual({ '': first, ...rest });
    }),
  );
  expect(propertyString('virtio', { tag: 5, firewall: true, mtu: undefined, link_down: false })).toBe('virtio,tag=5,firewall=1,link_down=0');
  expect(() => propertyString('virtio', { bridge: 'vmbr0,firewall=0' })).toThrow(/bridge/);
});

test('what is a base, and what stands on one', () => {
  for (const volume of ['local-lvm:base-100-disk-0', 'local:100/base-100-disk-0.qcow2', 'tank:base-9-disk-1']) expect(isBase(volume)).toBe(true);
  for (const volume of ['local-lvm:vm-100-disk-0', 'tank:base-100-disk-0/vm-105-disk-0', 'base-1-x:vm-1-disk-0']) expect(isBase(volume)).toBe(false);
  const config = { scsi0: 'tank:base-100-disk-0/vm-105-disk-0,size=3G', scsi1: 'tank:vm-105-cloudinit,media=cdrom', ide2: 'none,media=cdrom', net0: 'virtio' };
  expect(unconverted(config).map(({ device }) => device)).toEqual(['scsi0']);
  expect([standsOn(config, 100), standsOn(config, 10), standsOn({ scsi0: 'local:100/base-100-disk-0.qcow2/105/vm-105-disk-0.qcow2' }, 100)]).toEqual([
    true,
    false,
    true,
  ]);
});

test('machines fit the release, and addresses are those that one can reach', () => {
  expect([cpuTypeFor('debian-12', 'amd64'), cpuTypeFor('rocky-10', 'amd64')]).toEqual(['x86-64-v2-AES', 'x86-64-v3']);
  expect([cloudInitDevice('cloud'), cloudInitDevice('generic')]).toEqual(['scsi1', 'ide2']);
  const of = (name: string, ...addresses: string[]) => ({
    name,
    'ip-addresses': addresses.map((ip) => ({ 'ip-address': ip, 'ip-address-type': ip.includes(':') ? 'ipv6' : 'ipv4' })),
  });
  expect(addressIn({ result: [of('lo', '127.0.0.1'), of('docker0', '172.17.0.1'), of('eth0', 'fe80::1', '2001:db8::5', '192.0.2.7')] })).toBe('192.0.2.7');
  expect(addressIn({ result: [of('eth0', 'fe80::1', '169.254.1.1')] })).toBeUndefined();
});

test('work with the same key is done in turn, other work at the same time', async () => {
  const queue = new KeyedQueue();
  const log: string[] = [];
  const gates = new Map(['a', 'b', 'c'].map((name) => [name, Promise.withResolvers<void>()]));
  const work = (name: string, ...keys: string[]): Promise<void> =>
    queue.run(keys, async () => {
      log.push(`${name} begins`);
      await gates.get(name)?.promise;
      log.push(`${name} ends`);
    });
  const all = [work('a', 'x'), work('b', 'x', 'y'), work('c', 'z'), work('d', 'y')];
  await new Promise(setImmediate);
  expect(log).toEqual(['a begins', 'c begins']);
  for (const name of ['c', 'b', 'a']) gates.get(name)?.resolve();
  await Promise.all(all);
  expect(log.indexOf('b begins')).toBeGreaterThan(log.indexOf('a ends'));
  expect(log.indexOf('d begins')).toBeGreaterThan(log.indexOf('b ends'));
});

describe('the address of a guest', () => {
  test('has its prefix, and a gateway of its own version', () => {
    for (const wish of [{}, { ip: 'dhcp' }, { ip: '192.0.2.10/24', gateway: '192.0.2.1' }, { ip: '2001:db8::1/64', gateway: 'fe80::1' }])
      expect(() => checkAddress(wish)).not.toThrow();
    for (const ip of ['192.0.2.10', '192.0.2.10/33', '192.0.2.10/', '192.0.2.300/24', '2001:db8::1/129', '192.0.2.10/24/8', 'web', ''])
      expect(() => checkAddress({ ip })).toThrow(expect.objectContaining({ code: 'address-invalid', hint: expect.stringContaining('prefix') }));
    for (const gateway of ['192.0.2.1/24', 'fe80::1', 'router'])
      expect(() => checkAddress({ ip: '192.0.2.10/24', gateway })).toThrow(expect.objectContaining({ code: 'address-invalid' }));
  });
});
