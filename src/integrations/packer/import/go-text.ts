import type { Expression, Place } from '../hcl/syntax.ts';

const CALL = /\{\{-?\s*(user|env)\s+[`"]([^`"]+)[`"]\s*-?\}\}/g;

/** A text of Packer's old JSON: what names a user variable or the environment becomes a reference, as HCL2 has it. Anything else of Go's stays text. */
export function goExpression(text: string, place: Place): Expression {
  const parts: (string | Expression)[] = [];
  let end = 0;
  for (const found of text.matchAll(CALL)) {
    const [whole, what, name = ''] = found;
    if (found.index > end) parts.push(text.slice(end, found.index));
    parts.push(
      what === 'user'
        ? { kind: 'reference', path: ['var', name], place }
        : { kind: 'call', name: 'env', arguments: [{ kind: 'literal', value: name, place }], place },
    );
    end = found.index + whole.length;
  }
  if (end < text.length) parts.push(text.slice(end));
  const [first, second] = parts;
  if (first === undefined) return { kind: 'literal', value: text, place };
  if (second === undefined) return typeof first === 'string' ? { kind: 'literal', value: first, place } : first;
  return { kind: 'template', parts, place };
}
