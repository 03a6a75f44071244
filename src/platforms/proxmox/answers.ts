import * as z from 'zod';

/* Answers of the API, of which only what is used is read. Perl writes numbers and flags as numbers or as texts, as it happens. */

const number = z.preprocess((value) => (typeof value === 'string' && value !== '' ? Number(value) : value), z.number());
const flag = z.preprocess((value) => value === true || value === 1 || value === '1', z.boolean());
const list = z
  .string()
  .optional()
  .transform((text) => (text ?? '').split(/[,;\s]+/).filter((word) => word !== ''));

export const upidSchema = z.string().regex(/^UPID:[^:\s]+:/);
/** The identifier of a task, or nothing where the work was done at once. */
export const upidOrNothing = upidSchema.nullish();

export const versionSchema = z.looseObject({ version: z.string(), release: z.string().optional() });

export const nodeSchema = z.looseObject({ node: z.string(), status: z.string().default('unknown'), maxcpu: number.optional(), maxmem: number.optional() });
export type PveNode = z.output<typeof nodeSchema>;

export const storageSchema = z.looseObject({
  storage: z.string(),
  type: z.string(),
  content: list,
  active: flag.default(true),
  enabled: flag.default(true),
  shared: flag.default(false),
  avail: number.optional(),
  total: number.optional(),
});
export type PveStorage = z.output<typeof storageSchema>;

export const resourceSchema = z.looseObject({
  id: z.string(),
  type: z.string(),
  node: z.string().optional(),
  vmid: number.optional(),
  name: z.string().optional(),
  status: z.string().optional(),
  template: flag.default(false),
  tags: list,
  lock: z.string().optional(),
  maxcpu: number.optional(),
  maxmem: number.optional(),
  maxdisk: number.optional(),
});
export type PveResource = z.output<typeof resourceSchema>;

/** Path of the access tree -> privilege -> whether it is passed on to what is below. */
export const permissionsSchema = z.record(z.string(), z.record(z.string(), z.unknown()));
export type PvePermissions = z.output<typeof permissionsSchema>;

/** The configuration of a VM: every value as text. */
export const configSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String));
export type PveConfig = z.output<typeof configSchema>;

export const statusSchema = z.looseObject({
  status: z.string(),
  lock: z.string().optional(),
  qmpstatus: z.string().optional(),
  /** Bytes since it was started. */
  diskread: number.optional(),
  diskwrite: number.optional(),
  netout: number.optional(),
});

export const contentSchema = z.looseObject({ volid: z.string(), size: number.optional(), content: z.string().optional() });

export const taskStatusSchema = z.looseObject({ status: z.enum(['running', 'stopped']), exitstatus: z.string().optional(), type: z.string().optional() });
export const taskLogSchema = z.array(z.looseObject({ n: number, t: z.string().nullish() }));
export const taskSchema = z.looseObject({
  upid: upidSchema,
  type: z.string(),
  id: z
    .union([z.string(), z.number()])
    .nullish()
    .transform((id) => String(id ?? '')),
  user: z.string().optional(),
  tokenid: z.string().optional(),
  status: z.string().optional(),
});

export const interfacesSchema = z.looseObject({
  result: z
    .array(
      z.looseObject({
        name: z.string(),
        'ip-addresses': z.array(z.looseObject({ 'ip-address': z.string(), 'ip-address-type': z.string() })).optional(),
      }),
    )
    .default([]),
});

export const containerInterfacesSchema = z
  .array(z.looseObject({ name: z.string(), inet: z.string().optional(), inet6: z.string().optional() }))
  .nullish()
  .transform((list) => list ?? []);

export const snapshotSchema = z.looseObject({
  name: z.string(),
  description: z.string().optional(),
  parent: z.string().optional(),
  snaptime: number.optional(),
});

/** The settings of a storage for the whole cluster. */
export const storageConfigSchema = z.looseObject({ storage: z.string(), type: z.string(), content: z.string().optional(), digest: z.string().optional() });

export const anything = z.unknown();
export const vmidSchema = number;
