/*
 * What `packer build -machine-readable` prints: a line for each thing, fields by commas.
 * https://developer.hashicorp.com/packer/docs/commands#format-for-machine-readable-output
 */

export type PackerEvent =
  /** Something for people: a step has begun, a step says something, or what went wrong. */
  | { readonly kind: 'say' | 'message' | 'error'; readonly text: string }
  /** A file that a build has made; `builder` is the builder's own word for its kind of result. */
  | { readonly kind: 'artifact'; readonly build: string; readonly index: number; readonly builder?: string; readonly file?: string };

/** Reads a line; undefined for one that says nothing here. Pure. */
export function readEvent(line: string): PackerEvent | undefined {
  const [time = '', target = '', type, ...data] = line.split(',');
  if (!/^\d+$/.test(time) || type === undefined) return undefined;
  const fields = data.map(unescaped);
  if (type === 'ui') {
    const [kind, ...rest] = fields;
    const text = withoutColors(rest.join(','));
    return kind === 'say' || kind === 'message' || kind === 'error' ? { kind, text } : undefined;
  }
  if (type === 'error') return { kind: 'error', text: withoutColors(fields.join(',')) };
  if (type !== 'artifact') return undefined;
  const [number = '', what, ...values] = fields;
  const index = Number(number);
  if (!Number.isInteger(index)) return undefined;
  const made = { kind: 'artifact', build: unescaped(target), index } as const;
  if (what === 'builder-id' && values[0] !== undefined) return { ...made, builder: values[0] };
  // The file's number, then its path.
  return what === 'file' && values[1] !== undefined ? { ...made, file: values.slice(1).join(',') } : undefined;
}

function unescaped(text: string): string {
  return text.replaceAll('%!(PACKER_COMMA)', ',').replaceAll(/\\([nr\\])/g, (_, sign: string) => (sign === 'n' ? '\n' : sign === 'r' ? '\r' : '\\'));
}

function withoutColors(text: string): string {
  // oxlint-disable-next-line no-control-regex -- that is what it removes
  return text.replaceAll(/\u001b\[[0-9;]*m/g, '');
}
