import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { machineWishSchema, type MachineWish, type PublishedImage } from '../../src/platforms/platform.ts';
import { containerConfig } from '../../src/platforms/proxmox/containers.ts';
import { encodeRequest, REQUESTS, type PveRequest } from '../../src/platforms/proxmox/requests.ts';
import { templateNotes } from '../../src/platforms/proxmox/notes.ts';
import { guestOf, vmConfig, vmName, vmTags } from '../../src/platforms/proxmox/vm-config.ts';
import { checkRequest, CONTRACT_NOTE, CONTRACT_VERSIONS, hasContract } from '../simulators/proxmox/contract.ts';
import { sampleConfig } from '../support/sample-images.ts';

/* Every request that ingot can make, against the official descriptions of Proxmox VE 8.4, 9.1 and 9.2. */

/** What the server gets, after the request was written as it is sent. */
function received(request: PveRequest): Record<string, string> {
  const { path, form } = encodeRequest(request);
  const url = new URL(path, 'https://pve');
  const inPath = [...request.path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  const pattern = new RegExp(`^/api2/json${request.path.replaceAll(/\{[^}]+\}/g, '([^/]+)')}$`);
  const values = pattern.exec(url.pathname)?.slice(1).map(decodeURIComponent) ?? [];
  return { ...Object.fromEntries(inPath.map((name, index) => [name, values[index] ?? ''])), ...Object.fromEntries(new URLSearchParams(form ?? url.search)) };
}

function faultsOf(request: PveRequest): string[] {
  const values = received(request);
  return CONTRACT_VERSIONS.flatMap((version) => {
    const errors = checkRequest(version, request.method, request.path, values);
    if (errors === undefined) return [`${version} has no ${request.method} ${request.path}`];
    return Object.entries(errors).map(([name, wrong]) => `${version} ${request.method} ${request.path} ${name}=${values[name] ?? ''}: ${wrong}`);
  });
}

const node = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/);
const storage = fc.stringMatching(/^[a-z][a-z0-9._-]{0,20}[a-z0-9]$/);
const vmid = fc.integer({ min: 100, max: 999_999_999 });
const machine = fc.record({ node, vmid });
/** A VM or a container. */
const either = fc.record({ node, vmid, kind: fc.option(fc.constant('lxc' as const), { nil: undefined }) });
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/);
const snapshot = fc.stringMatching(/^[a-z][a-z0-9_-]{1,30}$/);
const upid = fc.constant('UPID:pve:000003E8:00000001:6B0BE710:qmcreate:100:ingot@pve!test:');
const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const octet = fc.integer({ min: 1, max: 254 });
const ipv4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
const ipv6 = fc.tuple(octet, octet).map(([a, b]) => `2001:db8::${a.toString(16)}:${b.toString(16)}`);
const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const network = fc.oneof(
  fc.constant({}),
  fc.constant({ ip: 'dhcp' }),
  fc.record({ ip: ipv4.map((ip) => `${ip}/24`), gateway: optional(ipv4) }),
  fc.record({ ip: ipv6.map((ip) => `${ip}/64`), gateway: optional(ipv6) }),
);

const wish: fc.Arbitrary<MachineWish> = fc
  .record({
    cpus: optional(fc.integer({ min: 1, max: 512 })),
    memory: optional(fc.integer({ min: 16, max: 4_000_000 })),
    balloon: optional(fc.integer({ min: 0, max: 4_000_000 })),
    cpuType: optional(fc.constantFrom('host', 'x86-64-v2-AES', 'x86-64-v3', 'kvm64', 'max', 'EPYC-Rome', 'custom-mine')),
    numa: optional(fc.boolean()),
    firmware: optional(fc.constantFrom('bios', 'uefi', 'uefi-secure')),
    tpm: optional(fc.boolean()),
    display: optional(fc.constantFrom('serial', 'std')),
    bridge: optional(fc.constantFrom('vmbr0', 'vmbr12', 'vnet.lab', 'lan_2')),
    vlan: optional(fc.integer({ min: 1, max: 4094 })),
    mtu: optional(fc.integer({ min: 1, max: 65_520 })),
    firewall: optional(fc.boolean()),
    nameserver: optional(fc.oneof(ipv4, ipv6)),
    searchDomain: optional(fc.tuple(label, label).map((parts) => parts.join('.'))),
    user: optional(label),
    sshKeys: optional(fc.array(fc.constantFrom('ssh-ed25519 AAAA+/= a@b', "ssh-rsa AAAAB3Nz/+== o'neil (x) *!"), { maxLength: 3 })),
    tags: optional(fc.array(text, { maxLength: 3 })),
    pool: optional(fc.constantFrom('lab', 'prod/web')),
    startWithHost: optional(fc.boolean()),
  })
  .chain((given) => network.map((own) => machineWishSchema.parse(JSON.parse(JSON.stringify({ ...given, ...own })))));

const image: fc.Arbitrary<PublishedImage> = fc
  .record({
    name: fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,50}[a-z0-9])?$/),
    kernel: fc.constantFrom('cloud', 'generic'),
    firmware: fc.constantFrom('bios', 'uefi', 'both'),
    release: fc.constantFrom('debian-12', 'rocky-9', 'rocky-10', 'alpine-3.22'),
  })
  .map(({ name: called, kernel, firmware, release }) => {
    const details = sampleConfig([])['dev.ingot.image'];
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
    return {
      name: called,
      reference: `${called}:20260101`,
      digest,
      id: digest,
      architecture: 'amd64',
      gate: 'passed (quick, tcg, now)',
      publication: `proxmox-home-${called}-0123456789ab`,
      details: { ...details, kernel, release, disk: { ...details.disk, firmware } },
    };
  });

const created = fc
  .record({
    node,
    vmid,
    image,
    wish,
    disks: storage,
    upload: storage,
    pattern: optional(fc.constantFrom('{name}', 'tpl-{name}-{digest}', '{name}.{digest}.x_y')),
    file: fc.boolean(),
  })
  .map((one) => {
    const config = vmConfig(
      {
        vmid: one.vmid,
        name: vmName(one.pattern, one.image),
        diskStorage: one.disks,
        diskFormat: one.file ? 'qcow2' : undefined,
        source: `${one.upload}:import/ingot-${one.image.name}-0123456789abcdef.qcow2`,
        description: templateNotes(one.image, one.image.publication),
        tags: vmTags(one.image, one.wish.tags, true),
      },
      one.image,
      one.wish,
    );
    return REQUESTS.createVm(one.node, config);
  });

/** A way to make each of them, with wide values. The type says where one is missing. */
const MADE: { readonly [K in keyof typeof REQUESTS]: fc.Arbitrary<PveRequest> } = {
  version: fc.constant(REQUESTS.version()),
  nodes: fc.constant(REQUESTS.nodes()),
  resources: fc.constant(REQUESTS.resources()),
  permissions: fc.constant(REQUESTS.permissions()),
  nextId: optional(vmid).map((id) => REQUESTS.nextId(id)),
  storages: node.map((one) => REQUESTS.storages(one)),
  storageConfig: storage.map((one) => REQUESTS.storageConfig(one)),
  setStorageContent: fc
    .tuple(storage, optional(fc.constant('0123456789abcdef0123456789abcdef01234567')))
    .map(([one, digest]) => REQUESTS.setStorageContent(one, 'iso,vztmpl,backup,import', digest)),
  content: fc.tuple(node, storage, fc.constantFrom('import', 'iso', 'vztmpl')).map((args) => REQUESTS.content(...args)),
  deleteVolume: fc.tuple(node, storage).map(([n, s]) => REQUESTS.deleteVolume(n, s, `${s}:import/a b+c.qcow2`)),
  createVm: created,
  createContainer: fc
    .record({
      node,
      vmid,
      name,
      wish,
      disks: storage,
      archives: storage,
      unprivileged: fc.boolean(),
      nesting: fc.boolean(),
      disk: fc.integer({ min: 1, max: 2 ** 42 }),
    })
    .map((one) => {
      const container = {
        name: one.name,
        image: { reference: 'web:1', name: 'web', digest: `sha256:${'0'.repeat(64)}` },
        archive: () => Promise.reject(new Error('nothing is uploaded here')),
        machine: one.wish,
        disk: one.disk,
        unprivileged: one.unprivileged,
        nesting: one.nesting,
        start: false,
      };
      const config = containerConfig(container, `${one.archives}:vztmpl/ingot-web-0123456789abcdef.tar.zst`, one.disks);
      return REQUESTS.createContainer(one.node, { ...config, vmid: one.vmid, description: 'notes' });
    }),
  containerInterfaces: machine.map(REQUESTS.containerInterfaces),
  config: either.map(REQUESTS.config),
  setConfig: fc
    .tuple(machine, wish, image, fc.boolean())
    .map(([m, w, i, tags]) => REQUESTS.setConfig(m, tags ? { tags: vmTags(i, w.tags, true).join(';') } : guestOf(w, 'debian'))),
  status: either.map(REQUESTS.status),
  start: either.map(REQUESTS.start),
  stop: either.map(REQUESTS.stop),
  shutdown: fc.tuple(either, optional(fc.integer({ min: 0, max: 3600 }))).map(([m, t]) => REQUESTS.shutdown(m, t)),
  cloneVm: fc
    .tuple(
      either,
      fc.record({
        newid: vmid,
        name,
        description: optional(text),
        full: fc.boolean(),
        storage: optional(storage),
        pool: optional(fc.constant('lab')),
        target: optional(node),
      }),
    )
    .map(([m, clone]) => REQUESTS.cloneVm(m, clone)),
  toTemplate: fc
    .tuple(either, optional(fc.constantFrom('scsi0', 'efidisk0', 'tpmstate0')))
    .map(([m, disk]) => REQUESTS.toTemplate(m, m.kind === 'lxc' ? undefined : disk)),
  resize: fc.tuple(either, fc.integer({ min: 1, max: 9999 })).map(([m, size]) => REQUESTS.resize(m, m.kind === 'lxc' ? 'rootfs' : 'scsi0', `${size}G`)),
  deleteVm: either.map(REQUESTS.deleteVm),
  agentPing: machine.map(REQUESTS.agentPing),
  interfaces: machine.map(REQUESTS.interfaces),
  snapshots: either.map(REQUESTS.snapshots),
  snapshot: fc.tuple(either, snapshot, fc.boolean()).map((args) => REQUESTS.snapshot(...args)),
  rollback: fc.tuple(either, snapshot).map((args) => REQUESTS.rollback(...args)),
  deleteSnapshot: fc.tuple(either, snapshot).map((args) => REQUESTS.deleteSnapshot(...args)),
  migrate: fc.tuple(either, node, fc.boolean()).map((args) => REQUESTS.migrate(...args)),
  taskStatus: fc.tuple(node, upid).map((args) => REQUESTS.taskStatus(...args)),
  taskLog: fc.tuple(node, upid, fc.nat()).map((args) => REQUESTS.taskLog(...args)),
  stopTask: fc.tuple(node, upid).map((args) => REQUESTS.stopTask(...args)),
  activeTasks: node.map(REQUESTS.activeTasks),
};

describe.skipIf(!hasContract)(`the contract of Proxmox VE 8.4, 9.1 and 9.2${CONTRACT_NOTE}`, () => {
  test.each(Object.entries(MADE))('takes every %s', { timeout: 300_000 }, (_name, requests) => {
    fc.assert(
      fc.property(requests, (request) => {
        expect(faultsOf(request)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test('takes every VM that the wishes of a user can describe', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(created, (request) => {
        expect(faultsOf(request)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('takes the fields of an upload', () => {
    const values = {
      node: 'pve',
      storage: 'local',
      content: 'import',
      'checksum-algorithm': 'sha256',
      checksum: 'a'.repeat(64),
      filename: 'ingot-web-0123.qcow2',
    };
    for (const version of CONTRACT_VERSIONS) expect(checkRequest(version, 'POST', '/nodes/{node}/storage/{storage}/upload', values)).toEqual({});
  });

  test('refuses what a server was seen to refuse', () => {
    const check = (values: Record<string, string>) => checkRequest('9.2', 'POST', '/nodes/{node}/qemu', { node: 'pve', vmid: '100', ...values });
    expect(check({})).toEqual({});
    expect(check({ bogus: '1' })).toEqual({ bogus: 'property is not defined in schema and the schema does not allow additional properties' });
    expect(check({ net0: 'virtio,bridge=vmbr0,tag=9999' })).toEqual({ net0: 'tag: value must have a maximum value of 4094' });
    expect(check({ vmid: '99' })).toHaveProperty('vmid');
    expect(check({ scsi0: 'local-lvm:0,import-from=local:import/a.qcow2,nonsense=1' })).toHaveProperty('scsi0');
    expect(check({ ipconfig0: 'gw=192.0.2.1' })).toHaveProperty('ipconfig0');
    expect(check({ efidisk0: 'local-lvm:1,efitype=8m' })).toHaveProperty('efidisk0');
    expect(check({ sshkeys: 'ssh-ed25519 AAAA' })).toHaveProperty('sshkeys');
    expect(checkRequest('9.2', 'GET', '/nowhere', {})).toBeUndefined();
  });
});
