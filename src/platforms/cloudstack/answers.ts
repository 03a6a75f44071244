import * as z from 'zod';

/* Answers of the API, of which only what is used is read. What a user may not see is left out of them, so most is optional. */

const text = z.string();
const maybe = z.string().optional();
const flag = z.boolean().default(false);
const object = z.record(z.string(), z.unknown());

/** `{ count, <key>: […] }`; a list without entries has neither. Some versions write `vmSnapshot` where others have `vmsnapshot`. */
export function listOf<T>(key: string, entry: z.ZodType<T>): z.ZodType<{ readonly count: number; readonly entries: T[] }> {
  return object
    .transform((answer): unknown => ({ count: answer['count'], entries: Object.entries(answer).find(([name]) => name.toLowerCase() === key)?.[1] ?? [] }))
    .pipe(z.object({ count: z.int().optional(), entries: z.array(entry) }))
    .transform(({ count, entries }) => ({ count: count ?? entries.length, entries }));
}

/** The one thing below a key. */
export function oneOf<T>(key: string, entry: z.ZodType<T>): z.ZodType<T> {
  return object.transform((answer): unknown => answer[key]).pipe(entry);
}

/** What an asynchronous command answers: the job, and the identifier of what it makes, where that is known. */
export const jobStartSchema = z.looseObject({ jobid: text, id: maybe });

export const jobSchema = z.looseObject({
  /** 0: runs; 1: done; 2: failed. */
  jobstatus: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  jobresultcode: z.number().optional(),
  jobresult: z.unknown().optional(),
  cmd: maybe,
});
export const jobFailureSchema = z.looseObject({ errorcode: z.number().optional(), errortext: maybe });

export const capabilitiesSchema = z.looseObject({
  cloudstackversion: text,
  apilimitmax: z.number().optional(),
  apilimitinterval: z.number().optional(),
  userpublictemplateenabled: flag,
  dynamicrolesenabled: flag,
  kubernetesserviceenabled: flag,
  allowuserexpungerecovervm: flag,
});
export type CsCapabilities = z.output<typeof capabilitiesSchema>;

export const zoneSchema = z.looseObject({
  id: text,
  name: text,
  /** `Enabled` or `Disabled`; seen by administrators, while others see enabled zones alone. */
  allocationstate: z.string().default('Enabled'),
  networktype: maybe,
  securitygroupsenabled: flag,
});
export type CsZone = z.output<typeof zoneSchema>;

export const clusterSchema = z.looseObject({ id: text, name: text, hypervisortype: text, allocationstate: z.string().default('Enabled'), arch: maybe });
export const hypervisorSchema = z.looseObject({ name: text });
export const osTypeSchema = z.looseObject({ id: text, description: text });
export type CsOsType = z.output<typeof osTypeSchema>;
export const systemVmSchema = z.looseObject({ id: text, name: text, systemvmtype: text, state: text, agentstate: maybe, zonename: maybe });
export const imageStoreSchema = z.looseObject({
  id: text,
  name: text,
  protocol: maybe,
  readonly: flag,
  disksizetotal: z.number().optional(),
  disksizeused: z.number().optional(),
});
export type CsImageStore = z.output<typeof imageStoreSchema>;
/** Limits and what is left of them: numbers, or `Unlimited`. Some versions write numbers as texts. */
const left = z.union([z.string(), z.number()]).transform(String).optional();
export const accountSchema = z.looseObject({
  name: text,
  roletype: maybe,
  rolename: maybe,
  templatelimit: left,
  templateavailable: left,
  vmlimit: left,
  vmavailable: left,
  secondarystoragelimit: left,
  secondarystorageavailable: left,
});
export type CsAccount = z.output<typeof accountSchema>;
export const apiSchema = z.looseObject({ name: text, params: z.array(z.looseObject({ name: text })).default([]) });
export const offeringSchema = z.looseObject({
  id: text,
  name: text,
  cpunumber: z.number().optional(),
  memory: z.number().optional(),
  /** MHz. */
  cpuspeed: z.number().optional(),
  iscustomized: flag,
  /** Of a custom one: `mincpunumber`, `maxmemory` and the like. */
  serviceofferingdetails: z.record(z.string(), z.unknown()).optional(),
  state: maybe,
});
export type CsOffering = z.output<typeof offeringSchema>;
export const networkSchema = z.looseObject({
  id: text,
  name: text,
  type: maybe,
  state: maybe,
  zoneid: maybe,
  vpcid: maybe,
  /** It is routed, and needs no address translation. */
  ip4routing: maybe,
  canusefordeploy: z.boolean().default(true),
});
export type CsNetwork = z.output<typeof networkSchema>;

const tagSchema = z.looseObject({ key: text, value: maybe });
const downloadSchema = z.looseObject({ datastore: maybe, downloadPercent: z.union([z.string(), z.number()]).optional(), downloadState: maybe });

/** A template in one zone: a list has a row for each. */
export const templateSchema = z.looseObject({
  id: text,
  name: text,
  displaytext: maybe,
  zoneid: maybe,
  zonename: maybe,
  isready: flag,
  ispublic: flag,
  isfeatured: flag,
  crossZones: flag,
  /** In words that differ between versions, for owners and administrators alone: shown, never decided by. */
  status: maybe,
  hypervisor: maybe,
  format: maybe,
  size: z.number().optional(),
  checksum: maybe,
  ostypeid: maybe,
  ostypename: maybe,
  passwordenabled: flag,
  sshkeyenabled: flag,
  /** It may be downloaded. */
  isextractable: z.boolean().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
  downloaddetails: z.array(downloadSchema).default([]),
  tags: z.array(tagSchema).default([]),
  created: maybe,
});
export type CsTemplate = z.output<typeof templateSchema>;

/** An ISO in one zone. */
export const isoSchema = templateSchema.pick({ id: true, name: true, zoneid: true, zonename: true, isready: true, status: true, downloaddetails: true });

export const uploadParametersSchema = z.looseObject({ id: text, postURL: text, metadata: text, expires: text, signature: text });
export type UploadParameters = z.output<typeof uploadParametersSchema>;

const nicSchema = z.looseObject({ networkid: maybe, ipaddress: maybe, netmask: maybe, ip6address: maybe, isdefault: flag });
export const vmSchema = z.looseObject({
  id: text,
  name: text,
  displayname: maybe,
  state: text,
  zoneid: maybe,
  zonename: maybe,
  templateid: maybe,
  hypervisor: maybe,
  /** Seen by administrators alone. */
  hostid: maybe,
  serviceofferingid: maybe,
  cpunumber: z.number().optional(),
  /** MiB. */
  memory: z.number().optional(),
  password: maybe,
  passwordenabled: flag,
  /** Names of key pairs, with commas in between. */
  keypairs: maybe,
  guestosid: maybe,
  /** What was measured of it last, about once a minute. */
  diskioread: z.number().optional(),
  diskiowrite: z.number().optional(),
  networkkbswrite: z.number().optional(),
  nic: z.array(nicSchema).default([]),
  tags: z.array(tagSchema).default([]),
});
export type CsVm = z.output<typeof vmSchema>;

export const volumeSchema = z.looseObject({ id: text, name: maybe, type: maybe, size: z.number().optional(), virtualmachineid: maybe, state: maybe });
export const hostSchema = z.looseObject({ id: text, name: text, state: maybe });

/** The name that people gave is its text; its own name is made by the server. */
export const vmSnapshotSchema = z.looseObject({
  id: text,
  displayname: maybe,
  description: maybe,
  state: maybe,
  created: maybe,
  current: flag,
  parentName: maybe,
});
export type CsVmSnapshot = z.output<typeof vmSnapshotSchema>;
export const diskSnapshotSchema = z.looseObject({ id: text, name: maybe, state: maybe });
export type CsDiskSnapshot = z.output<typeof diskSnapshotSchema>;
export const consoleSchema = z.looseObject({ success: flag, details: maybe, url: maybe });

export const publicAddressSchema = z.looseObject({ id: text, ipaddress: text, issourcenat: flag, isstaticnat: flag, state: maybe });
/** Numbers of ports come as texts. */
const port = z.union([z.string(), z.number()]).transform(Number);
export const forwardSchema = z.looseObject({
  id: text,
  ipaddressid: maybe,
  ipaddress: maybe,
  privateport: port,
  publicport: port,
  protocol: maybe,
  virtualmachineid: maybe,
  tags: z.array(tagSchema).default([]),
});
export type CsForward = z.output<typeof forwardSchema>;
export const firewallRuleSchema = z.looseObject({
  id: text,
  ipaddressid: maybe,
  protocol: maybe,
  startport: port.optional(),
  endport: port.optional(),
  cidrlist: z.string().default(''),
});

export const keyPairSchema = z.looseObject({ name: text, fingerprint: maybe });
export const successSchema = z.looseObject({ success: z.union([z.boolean(), z.string()]).optional() });
export const extractSchema = z.looseObject({ url: maybe, state: maybe, status: maybe, resultstring: maybe });
export const kubernetesVersionSchema = z.looseObject({
  id: text,
  semanticversion: text,
  name: maybe,
  state: maybe,
  isostate: maybe,
  zoneid: maybe,
  zonename: maybe,
  mincpunumber: z.number().optional(),
  /** MiB. */
  minmemory: z.number().optional(),
  isoid: maybe,
});
export type CsKubernetesVersion = z.output<typeof kubernetesVersionSchema>;
export const anything = z.unknown();
