import { IngotError } from '../base/errors.ts';

/** A value of LVM's text format: number, text, list of both, or a section with values of its own. */
export type LvmValue = number | string | readonly (number | string)[] | LvmSection;
export interface LvmSection {
  readonly [name: string]: LvmValue;
}

const TOKEN = /\s+|#[^\n]*|"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?)|([A-Za-z0-9_][A-Za-z0-9._+-]*)|([{}[\]=,])/y;
const DEEPEST = 8;

type Token = { readonly kind: 'text' | 'name' | 'sign'; readonly text: string } | { readonly kind: 'number'; readonly value: number };

/** Reads LVM's configuration and metadata format (lvm.conf(5), libdm/libdm-config.c). Throws `lvm-unreadable`. */
export function parseLvmText(text: string): LvmSection {
  const tokens = tokensOf(text);
  let at = 0;
  const fail = (): never => {
    throw new IngotError('verification', 'lvm-unreadable', `The logical volumes of the disk cannot be read: their metadata make no sense at word ${at + 1}`);
  };
  const isSign = (sign: string): boolean => {
    const token = tokens[at];
    return token?.kind === 'sign' && token.text === sign;
  };
  const single = (): number | string => {
    const token = tokens[at++];
    if (token?.kind === 'number') return token.value;
    if (token?.kind === 'text') return token.text;
    return fail();
  };
  const list = (): (number | string)[] => {
    const items: (number | string)[] = [];
    while (!isSign(']')) {
      items.push(single());
      if (isSign(',')) at += 1;
      else if (!isSign(']')) fail();
    }
    at += 1;
    return items;
  };
  const section = (depth: number): LvmSection => {
    const values: Record<string, LvmValue> = Object.create(null);
    for (;;) {
      if (at === tokens.length && depth === 0) return values;
      if (isSign('}') && depth > 0) {
        at += 1;
        return values;
      }
      const name = tokens[at++];
      // A volume can be called by a number.
      const key = name?.kind === 'name' ? name.text : name?.kind === 'number' ? String(name.value) : fail();
      if (isSign('{')) {
        if (depth === DEEPEST) fail();
        at += 1;
        values[key] = section(depth + 1);
      } else if (isSign('=')) {
        at += 1;
        if (isSign('[')) {
          at += 1;
          values[key] = list();
        } else values[key] = single();
      } else fail();
    }
  };
  return section(0);
}

/** Writes values in the same format; what {@link parseLvmText} read comes back. */
export function lvmText(section: LvmSection): string {
  return Object.entries(section)
    .map(([name, value]) => (typeof value === 'object' && !isList(value) ? `${name} {\n${lvmText(value)}}\n` : `${name} = ${valueText(value)}\n`))
    .join('');
}

function isList(value: LvmValue): value is readonly (number | string)[] {
  return Array.isArray(value);
}

function valueText(value: LvmValue): string {
  if (isList(value)) return `[${value.map(valueText).join(', ')}]`;
  return typeof value === 'number' ? String(value) : typeof value === 'string' ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : '';
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null)
      throw new IngotError('verification', 'lvm-unreadable', 'The logical volumes of the disk cannot be read: their metadata are no text of LVM');
    const [, quoted, number, name, sign] = match;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.replaceAll(/\\(.)/g, '$1') });
    else if (number !== undefined) tokens.push({ kind: 'number', value: Number(number) });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
  }
  return tokens;
}
