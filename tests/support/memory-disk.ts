import type { DiskSource, Extent } from '../../src/disk/formats/source.ts';

/** A disk in memory; what is all zeros in a unit of 4 KiB counts as a hole. */
export function memoryDisk(bytes: Buffer): DiskSource {
  const unit = 4096;
  const zeros = Buffer.alloc(unit);
  const data: { start: number; length: number }[] = [];
  for (let start = 0; start < bytes.length; start += unit) {
    const part = bytes.subarray(start, start + unit);
    if (part.equals(zeros.subarray(0, part.length))) continue;
    const last = data.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += part.length;
    else data.push({ start, length: part.length });
  }
  const extents: readonly Extent[] = data;
  return {
    size: bytes.length,
    data: extents,
    read: (position, length) => Promise.resolve(Buffer.from(bytes.subarray(position, position + length))),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Bytes that follow from a seed, with holes: pieces of 4 KiB to some hundred KiB. */
export function sparseBytes(size: number, writes: readonly { readonly at: number; readonly length: number; readonly value: number }[]): Buffer {
  const bytes = Buffer.alloc(size);
  for (const { at, length, value } of writes) {
    for (let i = at; i < Math.min(size, at + length); i++) bytes[i] = (value + i * 7 + (i >> 8)) & 0xff;
  }
  return bytes;
}
