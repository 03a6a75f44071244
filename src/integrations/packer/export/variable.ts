import { args, block, Code, type HclBlock, type HclValue } from '../hcl/document.ts';

export interface VariableOptions {
  readonly type: 'string' | 'number' | 'bool';
  /** Its default; without one, whoever builds has to give it. */
  readonly value?: HclValue;
  readonly description: string;
  readonly sensitive?: true;
  /** All that it may be. */
  readonly values?: readonly string[];
  /** The least that it may be. */
  readonly least?: number;
}

/** A variable of a project, with what is said of it, and what it must be. */
export function variable(name: string, { type, value, description, sensitive, values, least }: VariableOptions): HclBlock {
  // Packer's messages have to begin with a capital and end with a stop.
  const rule =
    values !== undefined
      ? {
          condition: new Code(`contains([${values.map((each) => JSON.stringify(each)).join(', ')}], var.${name})`),
          message: `The variable ${name} is one of: ${values.join(', ')}.`,
        }
      : least === undefined
        ? undefined
        : { condition: new Code(`var.${name} >= ${least}`), message: `The variable ${name} is at least ${least}.` };
  return block(
    'variable',
    [name],
    [
      ...args({ type: new Code(type), default: value, description, sensitive }),
      ...(rule === undefined ? [] : [block('validation', [], args({ condition: rule.condition, error_message: `T${rule.message.slice(1)}` }))]),
    ],
  );
}
