import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRequest, REQUESTS, type CsRequest, type NewTemplate } from '../../src/platforms/cloudstack/requests.ts';
import { checkRequest, CONTRACT_NOTE, CONTRACT_VERSIONS, contractCommand, hasContract } from '../simulators/cloudstack/contract.ts';

/* Every command that ingot can send, against the descriptions of CloudStack 4.18 and 4.22. */

/** What the server gets, after the request was written as it is sent. */
function received(request: CsRequest): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(new URLSearchParams(encodeRequest(request)).toString()));
}

function faultsOf(request: CsRequest): string[] {
  const values = received(request);
  return CONTRACT_VERSIONS.flatMap((version) => {
    const errors = checkRequest(version, values);
    if (errors === undefined) return [`${version} has no ${request.command}`];
    return Object.entries(errors).map(([name, wrong]) => `${version} ${request.command} ${name}=${values[name] ?? ''}: ${wrong}`);
  });
}

const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const id = fc.uuid();
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => text.length <= 255);
const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,40}$/);
const tags = fc.dictionary(word, name, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
const details = optional(
  fc.constantFrom<Readonly<Record<string, string>>>(
    { rootDiskController: 'virtio' },
    { rootDiskController: 'scsi', nicAdapter: 'Vmxnet3', 'guest.cpu.mode': 'host-model' },
  ),
);
const template: fc.Arbitrary<NewTemplate & { requireshvm: boolean }> = fc
  .record({
    name,
    displaytext: fc.string({ maxLength: 4096 }),
    format: fc.constantFrom('QCOW2', 'VHD', 'OVA'),
    hypervisor: fc.constantFrom('KVM', 'XenServer', 'VMware'),
    details,
    ostypeid: optional(id),
    flag: fc.boolean(),
  })
  .map(({ flag, ...one }) => ({
    ...one,
    checksum: `{SHA-256}${'0'.repeat(64)}`,
    passwordenabled: flag,
    sshkeyenabled: flag,
    isdynamicallyscalable: !flag,
    isextractable: flag,
    requireshvm: true,
    arch: undefined,
  }));
const url = fc
  .tuple(fc.ipV4(), fc.nat(65_535), fc.stringMatching(/^[0-9a-f]{32}$/))
  .map(([host, port, secret]) => `http://${host}:${port}/${secret}/web.qcow2`);

/** A way to make each of them, with wide values. The type says where one is missing. */
const MADE: { readonly [K in keyof typeof REQUESTS]: fc.Arbitrary<CsRequest> } = {
  capabilities: fc.constant(REQUESTS.capabilities()),
  apis: fc.constant(REQUESTS.apis()),
  zones: fc.constant(REQUESTS.zones()),
  clusters: id.map(REQUESTS.clusters),
  hypervisors: optional(id).map((zone) => REQUESTS.hypervisors(zone)),
  osTypes: fc.constant(REQUESTS.osTypes()),
  systemVms: id.map(REQUESTS.systemVms),
  imageStores: id.map(REQUESTS.imageStores),
  accounts: fc.constant(REQUESTS.accounts()),
  offerings: id.map(REQUESTS.offerings),
  networks: id.map(REQUESTS.networks),
  templates: fc.record({ id: optional(id), name: optional(name), zoneid: optional(id) }).map(REQUESTS.templates),
  registerTemplate: fc
    .tuple(template, url, fc.array(id, { minLength: 1, maxLength: 10 }))
    .map(([one, from, zoneids]) => REQUESTS.registerTemplate({ ...one, url: from, zoneids })),
  uploadParameters: fc.tuple(template, id).map(([one, zoneid]) => REQUESTS.uploadParameters({ ...one, zoneid })),
  setPermissions: fc.tuple(id, fc.boolean(), fc.boolean()).map((args) => REQUESTS.setPermissions(...args)),
  copyTemplate: fc.tuple(id, id, fc.array(id, { minLength: 1, maxLength: 5 })).map((args) => REQUESTS.copyTemplate(...args)),
  createTemplate: fc
    .record({
      name,
      displaytext: fc.string({ maxLength: 4096 }),
      ostypeid: id,
      flag: fc.boolean(),
      source: fc.oneof(fc.record({ volumeid: id }), fc.record({ snapshotid: id })),
    })
    .map(({ flag, source, ...one }) => REQUESTS.createTemplate({ ...one, ...source, passwordenabled: flag, sshkeyenabled: !flag, requireshvm: true })),
  usableTemplates: optional(id).map((zone) => REQUESTS.usableTemplates(zone)),
  deleteTemplate: fc.tuple(id, id, fc.boolean()).map((args) => REQUESTS.deleteTemplate(...args)),
  extractTemplate: fc.tuple(id, id).map((args) => REQUESTS.extractTemplate(...args)),
  createTags: fc.tuple(id, fc.constantFrom('Template', 'UserVm', 'PortForwardingRule'), tags).map((args) => REQUESTS.createTags(...args)),
  deleteTags: fc.tuple(id, tags).map(([one, all]) => REQUESTS.deleteTags(one, 'Template', all)),
  job: id.map(REQUESTS.job),
  deployVm: fc
    .record({
      zoneid: id,
      templateid: id,
      serviceofferingid: id,
      networkids: optional(fc.array(id, { minLength: 1, maxLength: 3 })),
      name: word,
      displayname: name,
      keypairs: optional(fc.array(word, { minLength: 1, maxLength: 3 })),
      userdata: optional(fc.base64String({ maxLength: 40_000 })),
      ipaddress: optional(fc.ipV4()),
      startvm: optional(fc.boolean()),
      details: optional(fc.constant({ cpuNumber: '2', memory: '2048', cpuSpeed: '1000' })),
      rootdisksize: optional(fc.integer({ min: 1, max: 2048 })),
      boottype: optional(fc.constantFrom('BIOS', 'UEFI')),
      bootmode: optional(fc.constantFrom('LEGACY', 'SECURE')),
    })
    .map(REQUESTS.deployVm),
  vms: fc.oneof(
    id.map((one) => REQUESTS.vms({ id: one })),
    fc.tuple(id, id).map(([templateid, zoneid]) => REQUESTS.vms({ templateid, zoneid })),
    word.map((one) => REQUESTS.vms({ name: one })),
  ),
  startVm: id.map(REQUESTS.startVm),
  stopVm: fc.tuple(id, fc.boolean()).map((args) => REQUESTS.stopVm(...args)),
  rebootVm: id.map(REQUESTS.rebootVm),
  resetPassword: id.map(REQUESTS.resetPassword),
  destroyVm: id.map(REQUESTS.destroyVm),
  renameVm: fc.tuple(id, name).map((args) => REQUESTS.renameVm(...args)),
  scaleVm: fc.tuple(id, id, optional(fc.constant({ cpuNumber: '2', memory: '2048' }))).map((args) => REQUESTS.scaleVm(...args)),
  migrateVm: fc.tuple(id, id).map((args) => REQUESTS.migrateVm(...args)),
  hosts: fc.tuple(id, name).map((args) => REQUESTS.hosts(...args)),
  rootVolumes: optional(id).map((one) => REQUESTS.rootVolumes(one)),
  resizeVolume: fc.tuple(id, fc.integer({ min: 1, max: 2048 })).map((args) => REQUESTS.resizeVolume(...args)),
  vmSnapshots: id.map(REQUESTS.vmSnapshots),
  createVmSnapshot: fc.tuple(id, word, optional(name), fc.boolean()).map((args) => REQUESTS.createVmSnapshot(...args)),
  revertToVmSnapshot: id.map(REQUESTS.revertToVmSnapshot),
  deleteVmSnapshot: id.map(REQUESTS.deleteVmSnapshot),
  diskSnapshots: id.map(REQUESTS.diskSnapshots),
  createDiskSnapshot: fc.tuple(id, id, name).map((args) => REQUESTS.createDiskSnapshot(...args)),
  deleteDiskSnapshot: id.map(REQUESTS.deleteDiskSnapshot),
  consoleEndpoint: id.map(REQUESTS.consoleEndpoint),
  publicAddresses: id.map(REQUESTS.publicAddresses),
  forwards: optional(id).map((one) => REQUESTS.forwards(one)),
  createForward: fc
    .record({ ipaddressid: id, networkid: optional(id), virtualmachineid: id, privateport: fc.constant(22), publicport: fc.integer({ min: 1, max: 65_535 }) })
    .map(REQUESTS.createForward),
  deleteForward: id.map(REQUESTS.deleteForward),
  firewallRules: id.map(REQUESTS.firewallRules),
  createFirewallRule: fc
    .tuple(id, fc.integer({ min: 1, max: 65_535 }), fc.ipV4())
    .map(([one, port, from]) => REQUESTS.createFirewallRule(one, port, [`${from}/32`])),
  deleteFirewallRule: id.map(REQUESTS.deleteFirewallRule),
  keyPairs: optional(word).map((one) => REQUESTS.keyPairs(one)),
  registerKeyPair: word.map((one) => REQUESTS.registerKeyPair(one, 'ssh-ed25519 AAAA+/= a comment')),
  deleteKeyPair: word.map(REQUESTS.deleteKeyPair),
  kubernetesVersions: optional(id).map((zone) => REQUESTS.kubernetesVersions(zone)),
  addKubernetesVersion: fc
    .record({
      semanticversion: fc.constantFrom('1.31.1', '1.33.0'),
      name: optional(word),
      url: fc.constant('https://example.org/setup-1.33.0.iso'),
      checksum: optional(fc.constant('{SHA-256}00')),
      mincpunumber: fc.integer({ min: 2, max: 8 }),
      minmemory: fc.integer({ min: 2048, max: 8192 }),
      zoneid: optional(id),
    })
    .map(REQUESTS.addKubernetesVersion),
  deleteKubernetesVersion: id.map(REQUESTS.deleteKubernetesVersion),
  isos: id.map(REQUESTS.isos),
};

describe.skipIf(!hasContract)(`the contract of CloudStack 4.18 and 4.22${CONTRACT_NOTE}`, () => {
  test.each(Object.entries(MADE))('takes every %s', { timeout: 300_000 }, (_name, requests) => {
    fc.assert(
      fc.property(requests, (request) => {
        expect(faultsOf(request)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  test.each(Object.entries(MADE))('%s is sent as a form where it changes something, and followed as a job where it is one', (_name, requests) => {
    const [request] = fc.sample(requests, 1);
    if (request === undefined) throw new Error('none was made');
    const { command, change, answer } = request;
    expect(change).toBe(!/^(?:list|query)/.test(command));
    for (const version of CONTRACT_VERSIONS) {
      const isJob = answer.safeParse({ jobid: 'a', id: 'b' }).success && !answer.safeParse({}).success;
      expect(contractCommand(version, command)?.isasync, command).toBe(isJob);
    }
  });

  test.each(Object.entries(MADE))('%s comes page by page where it can', (_name, requests) => {
    const [request] = fc.sample(requests, 1);
    if (request === undefined) throw new Error('none was made');
    for (const version of CONTRACT_VERSIONS) expect('pagesize' in (contractCommand(version, request.command)?.params ?? {})).toBe(request.paged);
  });

  test('has every parameter that is newer than 4.18 under a condition on the version', () => {
    const one = fc.sample(template, 1)[0];
    if (one === undefined) throw new Error('none was made');
    const values = received(
      REQUESTS.registerTemplate({ ...one, arch: 'x86_64', forcks: true, url: 'http://192.0.2.1/web.qcow2', zoneids: ['00000000-0000-0000-0000-000000000001'] }),
    );
    expect(checkRequest('4.22', values)).toEqual({});
    expect(checkRequest('4.18', values)).toEqual({ arch: 'unknown parameter', forcks: 'unknown parameter' });
  });

  test('refuses what a server was seen to refuse', () => {
    const check = (values: Record<string, string>) => checkRequest('4.22', { command: 'deleteTemplate', ...values });
    expect(check({ id: '00000000-0000-0000-0000-000000000001' })).toEqual({});
    expect(check({})).toEqual({ id: 'missing parameter' });
    expect(check({ id: 'x' })).toHaveProperty('id');
    expect(check({ id: '00000000-0000-0000-0000-000000000001', forced: 'yes' })).toHaveProperty('forced');
    expect(checkRequest('4.22', { command: 'registerSSHKeyPair', name: 'x'.repeat(256), publickey: 'y' })).toHaveProperty('name');
    expect(checkRequest('4.22', { command: 'nothing' })).toBeUndefined();
  });
});
