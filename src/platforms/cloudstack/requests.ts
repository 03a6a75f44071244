import type * as z from 'zod';
import {
  accountSchema,
  anything,
  apiSchema,
  capabilitiesSchema,
  clusterSchema,
  consoleSchema,
  diskSnapshotSchema,
  firewallRuleSchema,
  forwardSchema,
  hostSchema,
  hypervisorSchema,
  imageStoreSchema,
  isoSchema,
  jobSchema,
  jobStartSchema,
  keyPairSchema,
  kubernetesVersionSchema,
  listOf,
  networkSchema,
  offeringSchema,
  oneOf,
  osTypeSchema,
  publicAddressSchema,
  successSchema,
  systemVmSchema,
  templateSchema,
  uploadParametersSchema,
  vmSchema,
  vmSnapshotSchema,
  volumeSchema,
  zoneSchema,
} from './answers.ts';

export type Value = string | number | boolean | readonly string[] | Readonly<Record<string, string>>;
export type Parameters = Readonly<Record<string, Value | undefined>>;

/** One command of the API, as its own documentation names it. */
export interface CsRequest<T = unknown> {
  readonly command: string;
  readonly parameters: Readonly<Record<string, Value>>;
  /** It changes something, and so is sent as a form: servers from 4.21 on can insist on that. */
  readonly change: boolean;
  /** Sent twice, it does no harm: it may be sent again where the answer was lost. */
  readonly repeatable: boolean;
  /** A list that comes page by page; others come whole, and would come again with every page. */
  readonly paged: boolean;
  readonly answer: z.ZodType<T>;
}
export type CsList<T> = CsRequest<{ readonly count: number; readonly entries: T[] }>;
export type CsJob = CsRequest<z.output<typeof jobStartSchema>>;

function make<T>(command: string, answer: z.ZodType<T>, parameters: Parameters, kind: 'read' | 'change' | 'repeatable-change'): CsRequest<T> {
  const given = Object.entries(parameters).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return { command, parameters: Object.fromEntries(given), change: kind !== 'read', repeatable: kind !== 'change', paged: false, answer };
}

const whole = <T>(command: string, key: string, entry: z.ZodType<T>, parameters: Parameters = {}): CsList<T> =>
  make(command, listOf(key, entry), parameters, 'read');
const list = <T>(command: string, key: string, entry: z.ZodType<T>, parameters: Parameters = {}): CsList<T> => ({
  ...whole(command, key, entry, parameters),
  paged: true,
});
const job = (command: string, parameters: Parameters): CsJob => make(command, jobStartSchema, parameters, 'change');

/** What a template is registered with, by either way. */
export interface NewTemplate {
  readonly name: string;
  readonly displaytext: string;
  readonly format: string;
  readonly hypervisor: string;
  readonly checksum: string;
  readonly ostypeid: string | undefined;
  readonly passwordenabled: boolean;
  readonly sshkeyenabled: boolean;
  readonly isdynamicallyscalable: boolean;
  readonly isextractable: boolean;
  readonly details: Readonly<Record<string, string>> | undefined;
  readonly arch: string | undefined;
  /** Whether Kubernetes clusters of CloudStack may be made of it; named to servers from 4.21 on. */
  readonly forcks?: boolean | undefined;
}

/** A template of an instance: of its disk, or of a snapshot of that. */
export type InstanceTemplate = {
  readonly name: string;
  readonly displaytext: string;
  readonly ostypeid: string;
  readonly passwordenabled: boolean;
  readonly sshkeyenabled: boolean;
  readonly requireshvm: boolean;
} & ({ readonly volumeid: string } | { readonly snapshotid: string });

export interface NewVm {
  readonly zoneid: string;
  readonly templateid: string;
  readonly serviceofferingid: string;
  readonly networkids: readonly string[] | undefined;
  readonly name: string;
  readonly displayname: string;
  readonly keypairs: readonly string[] | undefined;
  readonly rootdisksize: number | undefined;
  readonly boottype: string | undefined;
  readonly bootmode: string | undefined;
  /** In base64. */
  readonly userdata?: string | undefined;
  readonly ipaddress?: string | undefined;
  readonly startvm?: boolean | undefined;
  readonly details?: Readonly<Record<string, string>> | undefined;
}

/** What has tags. */
export type TaggedType = 'Template' | 'UserVm' | 'PortForwardingRule';

export interface NewForward {
  readonly ipaddressid: string;
  readonly networkid: string | undefined;
  readonly virtualmachineid: string;
  readonly privateport: number;
  readonly publicport: number;
}

/** The filter that shows one's own templates, ready or not; `all` is for administrators, and others hide rows that are not ready. */
const OWN = 'self';

/** Every command that ingot can send. The contract test goes through this list. */
export const REQUESTS = {
  capabilities: () => make('listCapabilities', oneOf('capability', capabilitiesSchema), {}, 'read'),
  apis: () => whole('listApis', 'api', apiSchema),
  zones: () => list('listZones', 'zone', zoneSchema),
  clusters: (zoneid: string) => list('listClusters', 'cluster', clusterSchema, { zoneid }),
  hypervisors: (zoneid?: string) => whole('listHypervisors', 'hypervisor', hypervisorSchema, { zoneid }),
  osTypes: () => list('listOsTypes', 'ostype', osTypeSchema),
  systemVms: (zoneid: string) => list('listSystemVms', 'systemvm', systemVmSchema, { zoneid }),
  imageStores: (zoneid: string) => list('listImageStores', 'imagestore', imageStoreSchema, { zoneid }),
  /** The user's own, with its limits. */
  accounts: () => list('listAccounts', 'account', accountSchema),
  offerings: (zoneid: string) => list('listServiceOfferings', 'serviceoffering', offeringSchema, { zoneid }),
  networks: (zoneid: string) => list('listNetworks', 'network', networkSchema, { zoneid, canusefordeploy: true }),
  templates: (which: { readonly id?: string | undefined; readonly name?: string | undefined; readonly zoneid?: string | undefined } = {}) =>
    list('listTemplates', 'template', templateSchema, { ...which, templatefilter: OWN }),
  registerTemplate: (template: NewTemplate & { readonly url: string; readonly zoneids: readonly string[]; readonly requireshvm: boolean }) =>
    make('registerTemplate', listOf('template', templateSchema), { ...template }, 'change'),
  uploadParameters: (template: NewTemplate & { readonly zoneid: string; readonly requireshvm: boolean }) =>
    make('getUploadParamsForTemplate', oneOf('getuploadparams', uploadParametersSchema), { ...template }, 'change'),
  /** The switches of who sees it: those that are left out stay as they are. */
  setPermissions: (id: string, ispublic: boolean, isfeatured: boolean) =>
    make('updateTemplatePermissions', successSchema, { id, ispublic, isfeatured }, 'repeatable-change'),
  copyTemplate: (id: string, sourcezoneid: string, destzoneids: readonly string[]) => job('copyTemplate', { id, sourcezoneid, destzoneids }),
  /** Of the root disk of an instance that is off, or of a snapshot of that disk. */
  createTemplate: (template: InstanceTemplate) => job('createTemplate', { ...template }),
  deleteTemplate: (id: string, zoneid: string, forced: boolean) => job('deleteTemplate', { id, zoneid, ...(forced ? { forced } : {}) }),
  /** One's own templates that can be used, and those of others that one may use. */
  usableTemplates: (zoneid?: string) => list('listTemplates', 'template', templateSchema, { zoneid, templatefilter: 'executable' }),
  /** Asked again, the address is the same until it expires. */
  extractTemplate: (id: string, zoneid: string) => job('extractTemplate', { id, zoneid, mode: 'HTTP_DOWNLOAD' }),
  createTags: (id: string, resourcetype: TaggedType, tags: Readonly<Record<string, string>>) =>
    job('createTags', { resourceids: [id], resourcetype, tags: tagMap(tags) }),
  deleteTags: (id: string, resourcetype: TaggedType, tags: Readonly<Record<string, string>>) =>
    job('deleteTags', { resourceids: [id], resourcetype, tags: tagMap(tags) }),
  job: (jobid: string) => make('queryAsyncJobResult', jobSchema, { jobid }, 'read'),
  deployVm: (vm: NewVm) => job('deployVirtualMachine', { ...vm }),
  vms: (which: { readonly id?: string; readonly name?: string; readonly templateid?: string; readonly zoneid?: string }) =>
    list('listVirtualMachines', 'virtualmachine', vmSchema, { ...which, listall: true }),
  startVm: (id: string) => job('startVirtualMachine', { id }),
  stopVm: (id: string, forced = false) => job('stopVirtualMachine', { id, ...(forced ? { forced } : {}) }),
  rebootVm: (id: string) => job('rebootVirtualMachine', { id }),
  resetPassword: (id: string) => job('resetPasswordForVirtualMachine', { id }),
  destroyVm: (id: string) => job('destroyVirtualMachine', { id, expunge: true }),
  renameVm: (id: string, displayname: string) => make('updateVirtualMachine', anything, { id, displayname }, 'repeatable-change'),
  scaleVm: (id: string, serviceofferingid: string, details: Readonly<Record<string, string>> | undefined) =>
    job('scaleVirtualMachine', { id, serviceofferingid, details }),
  migrateVm: (virtualmachineid: string, hostid: string) => job('migrateVirtualMachine', { virtualmachineid, hostid }),
  hosts: (zoneid: string, name: string) => list('listHosts', 'host', hostSchema, { zoneid, name, type: 'Routing' }),
  /** The disks that instances boot from. */
  rootVolumes: (virtualmachineid?: string) => list('listVolumes', 'volume', volumeSchema, { virtualmachineid, type: 'ROOT', listall: true }),
  /** GiB. */
  resizeVolume: (id: string, size: number) => job('resizeVolume', { id, size }),
  vmSnapshots: (virtualmachineid: string) => list('listVMSnapshot', 'vmsnapshot', vmSnapshotSchema, { virtualmachineid, listall: true }),
  createVmSnapshot: (virtualmachineid: string, name: string, description: string | undefined, snapshotmemory: boolean) =>
    job('createVMSnapshot', { virtualmachineid, name, description, snapshotmemory }),
  revertToVmSnapshot: (vmsnapshotid: string) => job('revertToVMSnapshot', { vmsnapshotid }),
  deleteVmSnapshot: (vmsnapshotid: string) => job('deleteVMSnapshot', { vmsnapshotid }),
  /** Snapshots of one disk, which can become templates; those of instances cannot. */
  diskSnapshots: (volumeid: string) => list('listSnapshots', 'snapshot', diskSnapshotSchema, { volumeid, listall: true }),
  createDiskSnapshot: (vmsnapshotid: string, volumeid: string, name: string) => job('createSnapshotFromVMSnapshot', { vmsnapshotid, volumeid, name }),
  deleteDiskSnapshot: (id: string) => job('deleteSnapshot', { id }),
  /** The address holds a token that is good for one session. */
  consoleEndpoint: (virtualmachineid: string) => make('createConsoleEndpoint', oneOf('consoleendpoint', consoleSchema), { virtualmachineid }, 'change'),
  publicAddresses: (associatednetworkid: string) =>
    list('listPublicIpAddresses', 'publicipaddress', publicAddressSchema, { associatednetworkid, listall: true }),
  forwards: (ipaddressid?: string) => list('listPortForwardingRules', 'portforwardingrule', forwardSchema, { ipaddressid, listall: true }),
  createForward: (forward: NewForward) => job('createPortForwardingRule', { ...forward, protocol: 'tcp', openfirewall: false }),
  deleteForward: (id: string) => job('deletePortForwardingRule', { id }),
  firewallRules: (ipaddressid: string) => list('listFirewallRules', 'firewallrule', firewallRuleSchema, { ipaddressid, listall: true }),
  createFirewallRule: (ipaddressid: string, port: number, cidrlist: readonly string[]) =>
    job('createFirewallRule', { ipaddressid, protocol: 'tcp', startport: port, endport: port, cidrlist }),
  deleteFirewallRule: (id: string) => job('deleteFirewallRule', { id }),
  keyPairs: (name?: string) => list('listSSHKeyPairs', 'sshkeypair', keyPairSchema, { name }),
  registerKeyPair: (name: string, publickey: string) => make('registerSSHKeyPair', anything, { name, publickey }, 'change'),
  deleteKeyPair: (name: string) => make('deleteSSHKeyPair', anything, { name }, 'repeatable-change'),
  kubernetesVersions: (zoneid?: string) => list('listKubernetesSupportedVersions', 'kubernetessupportedversion', kubernetesVersionSchema, { zoneid }),
  /** Of whoever it is, ready or not: for administrators, who alone add them. */
  isos: (id: string) => list('listIsos', 'iso', isoSchema, { id, isofilter: 'all' }),
  addKubernetesVersion: (version: {
    readonly semanticversion: string;
    readonly name: string | undefined;
    readonly url: string;
    readonly checksum: string | undefined;
    readonly mincpunumber: number;
    readonly minmemory: number;
    readonly zoneid: string | undefined;
  }) => make('addKubernetesSupportedVersion', oneOf('kubernetessupportedversion', kubernetesVersionSchema), { ...version }, 'change'),
  deleteKubernetesVersion: (id: string) => job('deleteKubernetesSupportedVersion', { id }),
} as const;

/** Tags travel as two fields for each, under an index of their own. */
function tagMap(tags: Readonly<Record<string, string>>): readonly string[] | Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(tags).flatMap(([key, value], index) => [
      [`[${index}].key`, key],
      [`[${index}].value`, value],
    ]),
  );
}

/**
 * The parameters as they are signed and sent. Lists are joined with commas. Of details, all stand under one index: the server reads only the first. Keys that
 * begin with a bracket say their place themselves.
 */
export function encodeRequest({ command, parameters }: Pick<CsRequest, 'command' | 'parameters'>): Record<string, string> {
  const fields: [string, string][] = Object.entries(parameters).flatMap(([name, value]): [string, string][] => {
    if (typeof value !== 'object') return [[name, String(value)]];
    if (isList(value)) return [[name, value.join(',')]];
    return Object.entries(value).map(([key, one]) => [key.startsWith('[') ? `${name}${key}` : `${name}[0].${key}`, one]);
  });
  return { command, ...Object.fromEntries(fields) };
}

function isList(value: readonly string[] | Readonly<Record<string, string>>): value is readonly string[] {
  return Array.isArray(value);
}

/** A command in a line, for people: `registerTemplate name=web format=QCOW2`. What is long is cut. */
export function describeRequest(request: Pick<CsRequest, 'command' | 'parameters'>): string {
  const { command, ...fields } = encodeRequest(request);
  return [command, ...Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`)].join(' ');
}

function shown(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ');
  const cut = line.length > 100 ? `${line.slice(0, 99)}…` : line;
  return cut.includes(' ') ? JSON.stringify(cut) : cut;
}
