import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { CONTRACT_FOLDER } from '../proxmox/contract.ts';

/*
 * The description of the API that the project's own tools are made from, as far as it is there: it is not copied into this project. Tests that need it are
 * skipped, by name, where it is not.
 */

export const CONTRACT_VERSIONS = ['4.18', '4.22'] as const;
export type ContractVersion = (typeof CONTRACT_VERSIONS)[number];
const FILES: Readonly<Record<ContractVersion, string>> = { '4.18': 'cloudstack-api-4.18.json', '4.22': 'cloudstack-api.json' };

export const hasContract = Object.values(FILES).every((file) => existsSync(join(CONTRACT_FOLDER, file)));
export const CONTRACT_NOTE = hasContract ? '' : ' (skipped: the contracts are not there)';

const parameterSchema = z.looseObject({
  type: z.enum(['string', 'uuid', 'boolean', 'integer', 'list', 'map', 'long', 'date', 'double', 'object', 'short']),
  required: z.boolean().default(false),
  length: z.int().optional(),
  items: z.string().optional(),
});
type Parameter = z.output<typeof parameterSchema>;
const commandSchema = z.looseObject({
  isasync: z.boolean(),
  params: z.record(z.string(), parameterSchema),
  responseFields: z.array(z.string()).default([]),
  listKey: z.string().optional(),
  wrapKey: z.string().optional(),
});
export type ContractCommand = z.output<typeof commandSchema>;

const loaded = new Map<ContractVersion, Readonly<Record<string, unknown>>>();
const parsed = new Map<string, ContractCommand>();

/** A command as the contract describes it; nothing where that version has none of that name. */
export function contractCommand(version: ContractVersion, command: string): ContractCommand | undefined {
  const key = `${version} ${command}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const all = loaded.get(version) ?? z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(join(CONTRACT_FOLDER, FILES[version]), 'utf8')));
  loaded.set(version, all);
  if (!Object.hasOwn(all, command)) return undefined;
  const found = commandSchema.parse(all[command]);
  parsed.set(key, found);
  return found;
}

/** Parameters of every command that no command declares. */
const COMMON = new Set(['command', 'response', 'apikey', 'signature', 'signatureversion', 'expires', 'sessionkey']);
/** What is above this is more than the server takes, where the contract says nothing. */
const LENGTH = 255;

/** What a server would find wrong with a request, by parameter; empty where nothing is, `undefined` where it has no such command. An unknown parameter is only logged by a real one. */
export function checkRequest(version: ContractVersion, parameters: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const command = contractCommand(version, parameters['command'] ?? '');
  if (command === undefined) return undefined;
  const errors: Record<string, string> = {};
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(parameters)) {
    if (COMMON.has(name)) continue;
    const [, plain = name, index, field] = /^([^[]+)\[(\d+)\]\.?(.*)$/.exec(name) ?? [];
    const declared = command.params[plain];
    if (declared === undefined) {
      errors[name] = 'unknown parameter';
      continue;
    }
    seen.add(plain);
    const wrong = index === undefined ? checkValue(declared, value) : checkMap(declared, field ?? '', value);
    if (wrong !== undefined) errors[name] = wrong;
  }
  for (const [name, { required }] of Object.entries(command.params)) if (required && !seen.has(name)) errors[name] = 'missing parameter';
  return errors;
}

function checkMap({ type }: Parameter, field: string, value: string): string | undefined {
  if (type !== 'map') return `is a ${type}, and no map`;
  if (field === '') return 'a map has named fields';
  return value.length > LENGTH ? `longer than ${LENGTH}` : undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function checkValue({ type, length = LENGTH, items }: Parameter, value: string): string | undefined {
  switch (type) {
    case 'string':
      return value.length > length ? `longer than ${length}` : undefined;
    case 'uuid':
      return UUID.test(value) ? undefined : `"${value}" is no identifier`;
    case 'boolean':
      return value === 'true' || value === 'false' ? undefined : `"${value}" is no boolean`;
    case 'integer':
    case 'short':
    case 'long':
      return /^-?\d+$/.test(value) ? undefined : `"${value}" is no number`;
    case 'double':
      return /^-?\d+(?:\.\d+)?$/.test(value) ? undefined : `"${value}" is no number`;
    case 'list': {
      const wrong = items === 'uuid' ? value.split(',').find((one) => !UUID.test(one) && one !== '-1') : undefined;
      return wrong === undefined ? undefined : `"${wrong}" is no identifier`;
    }
    case 'map':
      return 'a map is written name[0].field';
    case 'date':
    case 'object':
      return undefined;
  }
}
