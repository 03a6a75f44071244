import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { parseVmdkDescriptor, parseVmdkHeader } from './vmdk.ts';

const DESCRIPTOR = `# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW 2048 SPARSE "disk.vmdk"
`;

function header(change: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('KDMV', 0);
  bytes.writeUInt32LE(3, 4);
  bytes.writeBigUInt64LE(2048n, 12);
  bytes.writeBigUInt64LE(1n, 28);
  bytes.writeBigUInt64LE(20n, 36);
  change(bytes);
  return bytes;
}

describe('a VMDK file', () => {
  test('says how large its disk is, and where its descriptor lies', () => {
    expect(parseVmdkHeader(header())).toEqual({ virtualSize: 2 ** 20, at: 512, size: 10_240 });
    expect(parseVmdkDescriptor(DESCRIPTOR)).toEqual({ createType: 'streamOptimized' });
    expect(parseVmdkDescriptor(`${DESCRIPTOR.replace('streamOptimized', 'monolithicSparse')}\0\0rubbish`)).toEqual({ createType: 'monolithicSparse' });
  });

  test.each<[string, (text: string) => string]>([
    ['data in another file', (text) => text.replace('streamOptimized', 'monolithicFlat').replace('SPARSE', 'FLAT')],
    ['an extent that is a file of the host', (text) => text.replace('"disk.vmdk"', '"/etc/shadow"')],
    ['an extent that is no part of it', (text) => text.replace('SPARSE', 'FLAT')],
    ['a second extent', (text) => `${text}RW 2048 SPARSE "other.vmdk"\n`],
    ['none at all', (text) => text.replace(/^RW.*$/m, '')],
    ['a parent', (text) => text.replace('parentCID=ffffffff', 'parentCID=1234abcd')],
    ["a parent's name", (text) => `${text}parentFileNameHint="/etc/shadow"\n`],
    ['no kind', (text) => text.replace(/^createType.*$/m, '')],
    ['a device', (text) => text.replace('streamOptimized', 'fullDevice')],
  ])('is refused with %s', (_what, change) => {
    expect(() => parseVmdkDescriptor(change(DESCRIPTOR))).toThrow(expect.objectContaining({ code: 'vmdk-invalid' }));
  });

  test.each<[string, (bytes: Buffer) => void]>([
    ['no size', (bytes) => void bytes.writeBigUInt64LE(0n, 12)],
    ['a size beyond all numbers', (bytes) => void bytes.writeBigUInt64LE(2n ** 63n, 12)],
    ['no descriptor', (bytes) => void bytes.writeBigUInt64LE(0n, 28)],
    ['a descriptor without end', (bytes) => void bytes.writeBigUInt64LE(2n ** 40n, 36)],
    ['another version', (bytes) => void bytes.writeUInt32LE(9, 4)],
  ])('is refused with %s', (_what, change) => {
    expect(() => parseVmdkHeader(header(change))).toThrow(expect.objectContaining({ code: 'vmdk-invalid' }));
  });

  test('never leads to anything but an answer or that refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, text) => {
        for (const parse of [() => parseVmdkHeader(Buffer.from(bytes)), () => parseVmdkDescriptor(text)]) {
          try {
            parse();
          } catch (error) {
            expect(error instanceof IngotError && error.code).toBe('vmdk-invalid');
          }
        }
      }),
    );
  });
});
