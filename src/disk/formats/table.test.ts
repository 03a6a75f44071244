import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseFormat, FORMAT_NAMES, formatOf, formatOfFile, parseOptions } from './table.ts';

describe('the table of formats', () => {
  test('every option has values that differ, and no extension stands for two formats', () => {
    const extensions = FORMAT_NAMES.flatMap((name) => [...formatOf(name).extensions]);
    expect(new Set(extensions).size).toBe(extensions.length);
    for (const name of FORMAT_NAMES) for (const { values } of Object.values(formatOf(name).options)) expect(new Set(values).size).toBe(values.length);
  });

  test('the longest end of a name counts', () => {
    const names = ['/a/b.qcow2', 'b.RAW', 'b.img', 'b.raw.xz', 'b.tar.zst', 'b.incus.tar.zst', 'b.oci.tar', 'b.vhd', 'b.vhdx', 'v1.2.ova'];
    expect(names.map(formatOfFile)).toEqual(['qcow2', 'raw', 'raw', 'raw', 'lxc', 'incus', 'container-disk', 'vhd', 'vhdx', 'ova']);
    expect(() => formatOfFile('/a/b.qcow')).toThrowError(expect.objectContaining({ code: 'format-unknown', hint: expect.stringContaining('qcow2') }));
    expect(() => formatOfFile('/a/b')).toThrowError(expect.objectContaining({ code: 'format-unknown' }));
  });

  test('an option counts before the name of the file, and that before the table', () => {
    expect(chooseFormat('a.raw', undefined).options).toEqual({ compression: 'none' });
    expect(chooseFormat('a.raw.gz', undefined).options).toEqual({ compression: 'gzip' });
    expect(chooseFormat('a.raw.gz', undefined, { compression: 'xz' }).options).toEqual({ compression: 'xz' });
    expect(chooseFormat('a.anything', 'vhd', { layout: 'fixed' })).toEqual({ name: 'vhd', options: { layout: 'fixed' } });
    expect(chooseFormat('a.qcow2', undefined, { compat: '0.10' }).options).toEqual({ compat: '0.10', compression: 'zlib' });
  });

  test('what a format does not have is refused, with what it has', () => {
    expect(() => chooseFormat('a.vhd', undefined, { size: 'x' })).toThrowError(
      expect.objectContaining({ code: 'format-option-unknown', hint: 'It has layout.' }),
    );
    expect(() => chooseFormat('a.vhd', undefined, { layout: 'x' })).toThrowError(expect.objectContaining({ hint: 'It is one of dynamic, fixed.' }));
    expect(() => chooseFormat('a.qcow2', undefined, { compat: '0.10', compression: 'zstd' })).toThrowError(
      expect.objectContaining({ code: 'format-option-unknown' }),
    );
    expect(() => parseOptions(['layout'])).toThrowError(expect.objectContaining({ code: 'format-option-unknown' }));
    expect(parseOptions(['a=b=c'])).toEqual({ a: 'b=c' });
  });

  test('whatever the name is, the answer is a format with all its options, or one error', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...FORMAT_NAMES, undefined), (name, format) => {
        try {
          const chosen = chooseFormat(name, format);
          expect(Object.keys(chosen.options)).toEqual(Object.keys(formatOf(chosen.name).options));
        } catch (error) {
          expect(error).toHaveProperty('code', 'format-unknown');
        }
      }),
    );
  });
});
