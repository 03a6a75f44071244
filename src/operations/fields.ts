import * as z from 'zod/v4/core';
import type { Operation } from './operation.ts';

/** What kinds of text a value is written as. */
export type FieldKind = 'text' | 'number' | 'boolean' | 'choice';

/** What shell completion offers for a value. */
export type CompletionKind = 'image' | 'vm' | 'lab' | 'release' | 'template' | 'role' | 'package' | 'profile' | 'target' | 'publication' | 'file';

/** One key of an operation's input, as front ends show and read it. */
export interface Field {
  /** The key in the input: `allowExpiredMetadata`. */
  readonly key: string;
  /** The long flag without dashes: `allow-expired-metadata`. */
  readonly flag: string;
  readonly short: string | undefined;
  readonly kind: FieldKind;
  /** Given several times, or all that follow where it is positional. */
  readonly many: boolean;
  readonly positional: boolean;
  readonly required: boolean;
  readonly default: unknown;
  /** The values of a choice. */
  readonly choices: readonly string[];
  readonly description: string;
  /** What stands for the value in the help: `SIZE`. */
  readonly placeholder: string;
  /** The value that `--no-<flag>` stands for; undefined where there is no such flag. */
  readonly off: string | undefined;
  readonly complete: CompletionKind | undefined;
  /** A path of the front end's machine, to be made absolute by it. */
  readonly clientFile: boolean;
  /** With `clientFile`: it may be a path in a VM too, which stays as it is. */
  readonly orGuestPath: boolean;
  /** What is said, instead of quoting the word, where one follows this last positional: it may be a secret. */
  readonly nothingAfter: string | undefined;
}

/** What the declarations say by `.meta()`; read by hand, since every command reads it and a schema costs milliseconds. */
interface Meta {
  readonly positional?: boolean;
  readonly short?: string;
  readonly complete?: CompletionKind;
  readonly clientFile?: boolean;
  readonly orGuestPath?: boolean;
  readonly placeholder?: string;
  readonly negatable?: string;
  readonly nothingAfter?: string;
  readonly description?: string;
}

const COMPLETIONS: readonly CompletionKind[] = ['image', 'vm', 'lab', 'release', 'template', 'role', 'package', 'profile', 'target', 'publication', 'file'];

function metaOf(schema: z.$ZodType): Meta {
  const given: Readonly<Record<string, unknown>> = z.globalRegistry.get(schema) ?? {};
  const text = (key: 'short' | 'placeholder' | 'negatable' | 'nothingAfter' | 'description'): Partial<Record<typeof key, string>> => {
    const value = given[key];
    return typeof value === 'string' ? { [key]: value } : {};
  };
  const complete = COMPLETIONS.find((kind) => kind === given['complete']);
  return {
    ...text('short'),
    ...text('placeholder'),
    ...text('negatable'),
    ...text('nothingAfter'),
    ...text('description'),
    ...(typeof given['positional'] === 'boolean' ? { positional: given['positional'] } : {}),
    ...(typeof given['clientFile'] === 'boolean' ? { clientFile: given['clientFile'] } : {}),
    ...(typeof given['orGuestPath'] === 'boolean' ? { orGuestPath: given['orGuestPath'] } : {}),
    ...(complete === undefined ? {} : { complete }),
  };
}

interface Unwrapped {
  readonly core: z.$ZodType;
  readonly meta: Meta;
  readonly optional: boolean;
  readonly default: unknown;
}

/** The fields of an operation's input, in the order of its keys. */
export function fieldsOf(operation: Pick<Operation, 'input'>): Field[] {
  return Object.entries(operation.input._zod.def.shape).map(([key, schema]) => fieldOf(key, schema));
}

function fieldOf(key: string, schema: z.$ZodType): Field {
  const outer = unwrap(schema);
  const array = outer.core instanceof z.$ZodArray ? outer.core : undefined;
  const inner = array === undefined ? outer : unwrap(array._zod.def.element);
  const { kind, choices } = kindOf(inner.core);
  const meta = { ...inner.meta, ...outer.meta };
  const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const clientFile = meta.clientFile === true;
  return {
    key,
    flag,
    short: meta.short,
    kind,
    choices,
    many: array !== undefined,
    positional: meta.positional === true,
    required: !outer.optional,
    default: outer.default,
    description: meta.description ?? '',
    placeholder: meta.placeholder ?? (kind === 'choice' && meta.positional !== true ? choices.join('|') : flag.toUpperCase()),
    off: array !== undefined || meta.positional === true ? undefined : kind === 'boolean' ? 'false' : meta.negatable,
    complete: meta.complete ?? (clientFile ? 'file' : undefined),
    clientFile,
    orGuestPath: meta.orGuestPath === true,
    nothingAfter: meta.nothingAfter,
  };
}

/** Takes off the wrappers (optional, default, pipe, …); what an outer one says of itself wins. */
function unwrap(schema: z.$ZodType): Unwrapped {
  const meta = metaOf(schema);
  const under = (inner: z.$ZodType, optional: boolean, value?: unknown): Unwrapped => {
    const rest = unwrap(inner);
    return { core: rest.core, meta: { ...rest.meta, ...meta }, optional: optional || rest.optional, default: value ?? rest.default };
  };
  if (schema instanceof z.$ZodOptional || schema instanceof z.$ZodNullable) return under(schema._zod.def.innerType, true);
  if (schema instanceof z.$ZodDefault || schema instanceof z.$ZodPrefault) return under(schema._zod.def.innerType, true, schema._zod.def.defaultValue);
  if (schema instanceof z.$ZodReadonly || schema instanceof z.$ZodNonOptional || schema instanceof z.$ZodCatch) {
    return under(schema._zod.def.innerType, false);
  }
  if (schema instanceof z.$ZodPipe) return under(schema._zod.def.in, false);
  return { core: schema, meta, optional: false, default: undefined };
}

function kindOf(schema: z.$ZodType): { kind: FieldKind; choices: string[] } {
  if (schema instanceof z.$ZodBoolean) return { kind: 'boolean', choices: [] };
  if (schema instanceof z.$ZodNumber) return { kind: 'number', choices: [] };
  if (schema instanceof z.$ZodEnum) return { kind: 'choice', choices: Object.values(schema._zod.def.entries).map(String) };
  if (schema instanceof z.$ZodLiteral) return { kind: 'choice', choices: schema._zod.def.values.map(String) };
  return { kind: 'text', choices: [] };
}
