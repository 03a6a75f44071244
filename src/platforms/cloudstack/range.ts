/** Bytes of a file, from the first up to the one after the last. */
export interface ByteRange {
  readonly from: number;
  readonly until: number;
}

/**
 * What a Range header asks of a file of a size; `undefined` where the whole is to be sent: without a header, with one that is not understood, or with several
 * ranges, which one may answer so (RFC 9110, 14.2).
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { from: size - length, until: size };
  }
  const [from, end] = [Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1)];
  if (last !== '' && Number(last) < from) return undefined;
  return from >= size ? 'unsatisfiable' : { from, until: end + 1 };
}
