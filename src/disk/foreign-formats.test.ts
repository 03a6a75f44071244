import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { parseOvf } from './ovf-file.ts';
import { parseVhdFooter, parseVhdHeader, readVhd, vhdChecksum } from './vhd.ts';
import { readVhdx } from './vhdx.ts';

/** A file in memory, as readers see one. */
const fileOf = (bytes: Buffer) => ({
  status: () => Promise.resolve({ size: bytes.length, allocated: 0, modified: new Date(0), kind: 'file' as const, mode: 0o644, inode: 1, version: '' }),
  readPart: (_path: string, at: number, length: number) => Promise.resolve(bytes.subarray(at, at + length)),
});

function footer(options: { size: bigint; kind: number; at?: bigint; creator?: string }): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('conectix', 0, 'latin1');
  bytes.writeBigUInt64BE(options.at ?? 0xffff_ffff_ffff_ffffn, 16);
  bytes.write(options.creator ?? 'qem2', 28, 'latin1');
  bytes.writeBigUInt64BE(options.size, 48);
  bytes.writeUInt16BE(1, 56);
  bytes.writeUInt8(4, 58);
  bytes.writeUInt8(17, 59);
  bytes.writeUInt32BE(options.kind, 60);
  bytes.writeUInt32BE(vhdChecksum(bytes, 64), 64);
  return bytes;
}

function dynamicVhd(size: number): Buffer {
  const header = Buffer.alloc(1024);
  header.write('cxsparse', 0, 'latin1');
  header.writeBigUInt64BE(1536n, 16);
  header.writeUInt32BE(Math.ceil(size / 2 ** 21), 28);
  header.writeUInt32BE(2 ** 21, 32);
  header.writeUInt32BE(vhdChecksum(header, 36), 36);
  const end = footer({ size: BigInt(size), kind: 3, at: 512n });
  return Buffer.concat([end, header, Buffer.alloc(512, 0xff), end]);
}

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    return error instanceof IngotError ? error.code : `no error of ingot's: ${String(error)}`;
  }
}

describe('VHD', () => {
  test('a disk has the bytes that its footer says, not those of its geometry', async () => {
    expect(parseVhdFooter(footer({ size: 3_145_728n, kind: 2 }))).toMatchObject({ kind: 'fixed', size: 3_145_728, geometrySize: 34_816, creator: 'qem2' });
    expect(await readVhd(fileOf(dynamicVhd(64 * 2 ** 20)), 'a')).toMatchObject({ kind: 'dynamic', size: 64 * 2 ** 20 });
  });

  test('what is damaged, cut off, or promises more than it holds is refused', async () => {
    const whole = dynamicVhd(64 * 2 ** 20);
    expect(await codeOf(() => readVhd(fileOf(whole.subarray(0, whole.length - 1)), 'a'))).toBe('vhd-invalid');
    expect(await codeOf(() => readVhd(fileOf(Buffer.concat([Buffer.alloc(512), footer({ size: 1024n, kind: 2 })])), 'a'))).toBe('vhd-invalid');
    for (let at = whole.length - 512; at < whole.length - 428; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect(await codeOf(() => readVhd(fileOf(damaged), 'a'))).toBe('vhd-invalid');
    }
  });

  test('one that stands on another is told apart', async () => {
    const end = footer({ size: 2n ** 20n, kind: 4, at: 512n });
    expect(await codeOf(() => readVhd(fileOf(Buffer.concat([end, Buffer.alloc(1024), end])), 'a'))).toBe('vhd-parent-missing');
  });

  test('whatever the bytes are, the answer is a footer or its error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 8 }), fc.boolean(), async (changes, mend) => {
        const bytes = dynamicVhd(2 ** 22);
        for (const [at, value] of changes) bytes[at] = value;
        if (mend) {
          bytes.writeUInt32BE(vhdChecksum(bytes.subarray(0, 512), 64), 64);
          bytes.copy(bytes, bytes.length - 512, 0, 512);
        }
        expect(['none', 'vhd-invalid', 'vhd-parent-missing']).toContain(await codeOf(() => readVhd(fileOf(bytes), 'a')));
        expect(['none', 'vhd-invalid']).toContain(await codeOf(() => parseVhdHeader(bytes.subarray(512, 1536), 2 ** 22)));
      }),
    );
  });
});

/** A whole, empty VHDX as far as it is read. */
function vhdx(): Buffer {
  const bytes = Buffer.alloc(2 ** 20);
  const id = (text: string): Buffer => {
    const raw = Buffer.from(text.replaceAll('-', ''), 'hex');
    return Buffer.concat([raw.subarray(0, 4).toReversed(), raw.subarray(4, 6).toReversed(), raw.subarray(6, 8).toReversed(), raw.subarray(8)]);
  };
  bytes.write('vhdxfile', 0, 'latin1');
  for (const [at, sequence] of [
    [65_536, 1n],
    [131_072, 2n],
  ] as const) {
    bytes.write('head', at, 'latin1');
    bytes.writeBigUInt64LE(sequence, at + 8);
    bytes.writeUInt16LE(1, at + 66);
  }
  bytes.write('regi', 196_608, 'latin1');
  bytes.writeUInt32LE(1, 196_616);
  bytes.set(id('8b7ca206-4790-4b9a-b8fe-575f050f886e'), 196_624);
  bytes.writeBigUInt64LE(524_288n, 196_640);
  bytes.writeUInt32LE(131_072, 196_648);
  bytes.write('metadata', 524_288, 'latin1');
  bytes.writeUInt16LE(2, 524_298);
  const items = [
    ['caa16737-fa36-4d43-b3b6-33f0aa44e76b', 65_536],
    ['2fa54224-cd1b-4876-b211-5dbed83bf4b8', 65_544],
  ] as const;
  for (const [i, [text, at]] of items.entries()) {
    bytes.set(id(text), 524_320 + 32 * i);
    bytes.writeUInt32LE(at, 524_336 + 32 * i);
    bytes.writeUInt32LE(8, 524_340 + 32 * i);
  }
  bytes.writeBigUInt64LE(2n ** 30n, 524_288 + 65_544);
  return bytes;
}

describe('VHDX', () => {
  test('its size is in its metadata', async () => {
    expect(await readVhdx(fileOf(vhdx()), 'a')).toEqual({ size: 2 ** 30 });
  });

  test('one with a parent, with changes in its log, or cut off is refused', async () => {
    const parent = vhdx();
    parent.writeUInt32LE(2, 524_288 + 65_540);
    expect(await codeOf(() => readVhdx(fileOf(parent), 'a'))).toBe('vhdx-parent-missing');
    const dirty = vhdx();
    dirty[131_072 + 50] = 1;
    expect(await codeOf(() => readVhdx(fileOf(dirty), 'a'))).toBe('vhdx-invalid');
    const old = vhdx();
    old[65_536 + 50] = 1;
    expect(await codeOf(() => readVhdx(fileOf(old), 'a'))).toBe('none');
    expect(await codeOf(() => readVhdx(fileOf(vhdx().subarray(0, 600_000)), 'a'))).toBe('vhdx-invalid');
  });

  test('whatever the bytes are, the answer is a size or its error', async () => {
    const places = [0, 65_536, 131_072, 196_608, 524_288, 524_288 + 65_536];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...places), fc.nat(100), fc.nat(255)), { maxLength: 8 }), async (changes) => {
        const bytes = vhdx();
        for (const [place, at, value] of changes) bytes[place + at] = value;
        expect(['none', 'vhdx-invalid', 'vhdx-parent-missing']).toContain(await codeOf(() => readVhdx(fileOf(bytes), 'a')));
      }),
    );
  });
});

const ovf = (references: string, disks = '<Disk ovf:diskId="d" ovf:fileRef="f"/>', before = ''): string => `<?xml version="1.0"?>${before}
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
<References>${references}</References><DiskSection><Info>x</Info>${disks}</DiskSection></Envelope>`;

describe('OVF', () => {
  test('the file of its disk is found, whatever the prefixes', () => {
    expect(parseOvf(ovf('<File ovf:href="a.vmdk" ovf:id="f"/>'))).toEqual({ file: 'a.vmdk' });
    expect(parseOvf(ovf('<File href="a.vmdk" id="f"/>').replaceAll('ovf:', ''))).toEqual({ file: 'a.vmdk' });
    expect(parseOvf(ovf('<File ovf:href="a &amp; b.vmdk" ovf:id="f"/>'))).toEqual({ file: 'a & b.vmdk' });
  });

  test.each([
    ['a document type', ovf('<File ovf:href="a" ovf:id="f"/>', undefined, '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>')],
    ['an entity of its own', ovf('<File ovf:href="&e;" ovf:id="f"/>')],
    ['a disk elsewhere', ovf('<File ovf:href="https://example.org/a.vmdk" ovf:id="f"/>')],
    ['a disk by a path', ovf('<File ovf:href="../a.vmdk" ovf:id="f"/>')],
    ['several disks', ovf('<File ovf:href="a" ovf:id="f"/>', '<Disk ovf:fileRef="f"/><Disk ovf:fileRef="f"/>')],
    ['a parent', ovf('<File ovf:href="a" ovf:id="f"/>', '<Disk ovf:fileRef="f" ovf:parentRef="p"/>')],
    ['no disk', ovf('', '')],
    ['a file that is not named', ovf('<File ovf:href="a" ovf:id="g"/>')],
    ['something else', '<a/>'],
    ['no XML', 'hello'],
    ['nothing', ''],
    ['an end that is missing', ovf('<File ovf:href="a" ovf:id="f"/>').slice(0, -20)],
  ])('%s is refused', async (_what, text) => {
    expect(await codeOf(() => parseOvf(text))).toBe('ova-invalid');
  });

  test('whatever the text is, the answer is a file of the package or its error', async () => {
    const words = fc.constantFrom(
      '<',
      '>',
      '/',
      '&',
      ';',
      '"',
      "'",
      'Envelope',
      'File ',
      'ovf:href=',
      '<!DOCTYPE ',
      '<![CDATA[',
      ']]>',
      '<?',
      '?>',
      'xmlns="a"',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 12 }), fc.nat(300), async (parts, at) => {
        const whole = ovf('<File ovf:href="a.vmdk" ovf:id="f"/>');
        expect(['none', 'ova-invalid']).toContain(await codeOf(() => parseOvf(whole.slice(0, at) + parts.join('') + whole.slice(at))));
      }),
    );
  });
});
