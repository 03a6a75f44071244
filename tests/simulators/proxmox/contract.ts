import { existsSync, readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { join } from 'node:path';
import * as z from 'zod';

/*
 * The official description of the API, as far as it is there: it is not copied into this project. Tests that need it are skipped, by name, where it is not.
 */

export const CONTRACT_FOLDER = process.env['INGOT_CONTRACTS'] ?? join(import.meta.dirname, '../../../../shared/contracts');
export const CONTRACT_VERSIONS = ['8.4', '9.1', '9.2'] as const;
export type ContractVersion = (typeof CONTRACT_VERSIONS)[number];
const FILES: Readonly<Record<ContractVersion, string>> = { '8.4': 'proxmox-api-8.4.5.json', '9.1': 'proxmox-api-9.1.3.json', '9.2': 'proxmox-api.json' };

export const hasContract = Object.values(FILES).every((file) => existsSync(join(CONTRACT_FOLDER, file)));
export const CONTRACT_NOTE = hasContract ? '' : ' (skipped: the contracts are not there)';

const bound = z.union([z.number(), z.string()]).transform(Number);
const flag = z.union([z.literal(1), z.literal('1'), z.literal(0), z.literal('0')]);

interface Parameter {
  readonly type?: string | undefined;
  readonly required?: boolean | undefined;
  readonly optional?: unknown;
  readonly enum?: readonly (string | number)[] | undefined;
  readonly pattern?: string | undefined;
  readonly format?: string | Readonly<Record<string, Parameter>> | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly requires?: string | undefined;
  readonly default_key?: unknown;
  readonly alias?: string | undefined;
  readonly keyAlias?: string | undefined;
}
const parameterSchema: z.ZodType<Parameter> = z.lazy(() =>
  z.looseObject({
    type: z.string().optional(),
    required: z.boolean().optional(),
    optional: flag.optional(),
    enum: z.array(z.union([z.string(), z.number()])).optional(),
    pattern: z.string().optional(),
    format: z.union([z.string(), z.record(z.string(), parameterSchema)]).optional(),
    minimum: bound.optional(),
    maximum: bound.optional(),
    maxLength: bound.optional(),
    requires: z.string().optional(),
    default_key: flag.optional(),
    alias: z.string().optional(),
    keyAlias: z.string().optional(),
  }),
);
const methodSchema = z.looseObject({
  parameters: z.record(z.string(), parameterSchema),
  additionalProperties: z.union([z.number(), z.looseObject({})]).optional(),
});
const formatSchema = z.looseObject({
  kind: z.string(),
  regex: z.string().optional(),
  flags: z.string().optional(),
  schema: z.record(z.string(), parameterSchema).optional(),
});

const formats = hasContract ? z.object({ formats: z.record(z.string(), formatSchema) }).parse(readJson('proxmox-formats.json')).formats : {};
const parsed = new Map<string, z.output<typeof methodSchema>>();
const loaded = new Map<ContractVersion, Readonly<Record<string, unknown>>>();

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(join(CONTRACT_FOLDER, file), 'utf8'));
}

function methodsOf(version: ContractVersion): Readonly<Record<string, unknown>> {
  const known = loaded.get(version);
  if (known !== undefined) return known;
  const content = z.record(z.string(), z.unknown()).parse(readJson(FILES[version]));
  const methods = 'methods' in content ? z.record(z.string(), z.unknown()).parse(content['methods']) : content;
  loaded.set(version, methods);
  return methods;
}

/** What the server would find wrong with a request, by parameter, in its words; empty where nothing is. `undefined` where there is no such method. */
export function checkRequest(
  version: ContractVersion,
  method: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
): Record<string, string> | undefined {
  const found = methodsOf(version)[`${method} ${path}`];
  if (found === undefined) return undefined;
  const key = `${version} ${method} ${path}`;
  const known = parsed.get(key) ?? methodSchema.parse(found);
  parsed.set(key, known);
  const { parameters: declared, additionalProperties } = known;
  const errors: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    const parameter = declared[name] ?? declared[name.replace(/\d+$/, '[n]')];
    if (parameter === undefined) {
      if (additionalProperties === 0) errors[name] = 'property is not defined in schema and the schema does not allow additional properties';
      continue;
    }
    const wrong = checkValue(parameter, value);
    if (wrong !== undefined) errors[name] = wrong;
    if (parameter.requires !== undefined && parameters[parameter.requires] === undefined) errors[name] = `missing property - '${name}' requires this property`;
  }
  for (const [name, parameter] of Object.entries(declared)) {
    if (parameter.required === true && parameters[name] === undefined) errors[name] = 'property is missing and it is not optional';
  }
  return errors;
}

function checkValue(parameter: Parameter, value: string): string | undefined {
  const { type = 'string', minimum, maximum, maxLength, pattern } = parameter;
  if (type === 'boolean') return /^(?:1|on|yes|true|0|off|no|false)$/i.test(value) ? undefined : `type check ('boolean') failed - got '${value}'`;
  if (type === 'integer' || type === 'number') {
    if (!(type === 'integer' ? /^[+-]?\d+$/ : /^[+-]?\d+(?:\.\d+)?$/).test(value)) return `type check ('${type}') failed - got '${value}'`;
    if (minimum !== undefined && Number(value) < minimum) return `value must have a minimum value of ${minimum}`;
    if (maximum !== undefined && Number(value) > maximum) return `value must have a maximum value of ${maximum}`;
  }
  if (parameter.enum !== undefined && !parameter.enum.map(String).includes(value))
    return `value '${value}' does not have a value in the enumeration '${parameter.enum.join(', ')}'`;
  if (maxLength !== undefined && value.length > maxLength) return `value may only be ${maxLength} characters long`;
  if (pattern !== undefined && !perl(pattern).test(value)) return 'value does not match the regex pattern';
  return parameter.format === undefined ? undefined : checkFormat(parameter.format, value);
}

const patterns = new Map<string, RegExp>();

function perl(pattern: string, flags = ''): RegExp {
  const key = `${flags}/${pattern}`;
  const known = patterns.get(key) ?? translate(pattern, flags);
  patterns.set(key, known);
  return known;
}

function translate(pattern: string, flags: string): RegExp {
  const translated = pattern.replaceAll(/\(\?\^u?:/g, '(?:').replaceAll('{,', '{0,');
  return new RegExp(`^(?:${translated})$`, flags);
}

function checkFormat(format: NonNullable<Parameter['format']>, value: string): string | undefined {
  if (typeof format !== 'string') return checkProperties(format, value);
  if (format.endsWith('-list')) {
    const each = format.slice(0, -'-list'.length);
    const words = value.split(/[,; \0\s]+/).filter((word) => word !== '');
    return words.map((word) => checkFormat(each, word)).find((wrong) => wrong !== undefined);
  }
  const known = formats[format];
  if (known?.kind === 'regex' && known.regex !== undefined)
    return perl(known.regex, known.flags ?? '').test(value) ? undefined : `invalid format - value '${value}' is no ${format}`;
  if (known?.kind === 'property-string' && known.schema !== undefined) return checkProperties(known.schema, value);
  const code = CODE[format];
  return code === undefined || code(value) ? undefined : `invalid format - value '${value}' is no ${format}`;
}

const cidr =
  (is: (text: string) => boolean, most: number) =>
  (text: string): boolean => {
    const [address = '', prefix = '', ...more] = text.split('/');
    return is(address) && /^\d+$/.test(prefix) && Number(prefix) >= (most === 32 ? 7 : 8) && Number(prefix) <= most && more.length === 0;
  };
const volume = (text: string): boolean => /^[a-z][a-z0-9\-_.]*[a-z0-9]:.+$/i.test(text);
/** Formats that Perl code checks, of those that ingot uses. */
const CODE: Readonly<Record<string, (value: string) => boolean>> = {
  ipv4: isIPv4,
  ipv6: isIPv6,
  address: (text) => isIPv4(text) || isIPv6(text) || /^[a-z0-9.-]+$/i.test(text),
  'pve-ipv4-config': (text) => text === 'dhcp' || cidr(isIPv4, 32)(text),
  'pve-ipv6-config': (text) => text === 'auto' || text === 'dhcp' || cidr(isIPv6, 128)(text),
  urlencoded: (text) => /^[-%a-zA-Z0-9_.!~*'()]*$/.test(text),
  'pve-volume-id-or-absolute-path': (text) => text.startsWith('/') || volume(text),
  'pve-volume-id-or-qm-path': (text) => text === 'none' || text === 'cdrom' || text.startsWith('/') || volume(text),
  'pve-qm-bootdev': (text) => /^(?:ide[0-3]|sata[0-5]|(?:scsi|virtio|net|hostpci|usb)\d+)$/.test(text),
  'pve-poolid': (text) => /^[A-Za-z0-9.\-_]+(?:\/[A-Za-z0-9.\-_]+){0,2}$/.test(text),
  'pve-storage-content': (text) => ['images', 'rootdir', 'vztmpl', 'iso', 'backup', 'snippets', 'import', 'none'].includes(text),
};

/** A property string: `first,name=value`. */
function checkProperties(schema: Readonly<Record<string, Parameter>>, text: string): string | undefined {
  const values: Record<string, string> = {};
  for (const word of text.split(',')) {
    const at = word.indexOf('=');
    let name = at === -1 ? Object.entries(schema).find(([, one]) => Number(one.default_key ?? 0) === 1)?.[0] : word.slice(0, at);
    if (name === undefined) return `invalid format - format error: value without key, but schema does not define a default key`;
    const value = at === -1 ? word : word.slice(at + 1);
    const alias = schema[name];
    if (alias?.keyAlias !== undefined) values[alias.keyAlias] = name;
    if (alias?.alias !== undefined) name = alias.alias;
    if (values[name] !== undefined) return `invalid format - duplicate key in comma-separated list property: ${name}`;
    values[name] = value;
  }
  for (const [name, value] of Object.entries(values)) {
    const declared = schema[name];
    if (declared === undefined) return `${name}: property is not defined in schema and the schema does not allow additional properties`;
    const wrong = checkValue(declared, value);
    if (wrong !== undefined) return `${name}: ${wrong}`;
    if (declared.requires !== undefined && values[declared.requires] === undefined)
      return `${declared.requires}: missing property - '${name}' requires this property`;
  }
  const missing = Object.entries(schema).find(([name, one]) => one.alias === undefined && Number(one.optional ?? 0) !== 1 && values[name] === undefined);
  return missing === undefined ? undefined : `${missing[0]}: property is missing and it is not optional`;
}
