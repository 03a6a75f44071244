import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { shippedCatalog } from '../catalog/catalog.ts';
import type { CatalogData } from '../catalog/schema.ts';
import { parseDiskContents } from './disk-contents.ts';

let catalog: CatalogData;
beforeAll(async () => void (catalog = await shippedCatalog()));

const STATUS = `Package: openssl
Status: install ok installed
Architecture: amd64
Version: 3.0.17-1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b8
`;

function answers(
  parts: { readonly os?: string; readonly arch?: string; readonly kernel?: string; readonly sources?: string; readonly status?: string } = {},
): string {
  const {
    os = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
    arch = 'amd64\n',
    kernel = '',
    sources = '',
    status = STATUS,
  } = parts;
  return [os, arch, `${kernel}\n`, sources, status].join('==== ingot ====\n');
}

describe('parseDiskContents', () => {
  test('tells release, architecture, packages, kernel arguments and package sources', () => {
    const contents = parseDiskContents(
      answers({ kernel: 'console=ttyS0,115200 quiet quiet', sources: 'https://mirror.example/debian/\nhttps://mirror.example/debian\n' }),
      catalog,
    );
    expect(contents.release.id).toBe('debian-12');
    expect(contents.arch).toBe('amd64');
    expect(contents.packages.map(({ name }) => name)).toEqual(['bash', 'openssl']);
    expect(contents.kernelArguments).toEqual(['console=ttyS0,115200', 'quiet']);
    expect(contents.repositories).toEqual(['https://mirror.example/debian']);
  });

  test('kernel arguments that a boot menu could not hold are left out', () => {
    expect(parseDiskContents(answers({ kernel: 'quiet $(reboot) a"b' }), catalog).kernelArguments).toEqual(['quiet']);
  });

  test('says what was found where the catalog does not know it', () => {
    const nixos = answers({ os: 'ID=nixos\nVERSION_ID=26.05\nPRETTY_NAME="NixOS 26.05"\n' });
    expect(() => parseDiskContents(nixos, catalog)).toThrow(
      expect.objectContaining({ code: 'distribution-unsupported', message: expect.stringContaining('NixOS 26.05') }),
    );
    expect(() => parseDiskContents(answers({ os: '' }), catalog)).toThrow(expect.objectContaining({ code: 'distribution-unsupported' }));
    expect(() => parseDiskContents(answers({ arch: 'riscv64\n' }), catalog)).toThrow(expect.objectContaining({ code: 'arch-unsupported' }));
  });

  test('whatever a disk says, the answer is its contents or a named error', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (os, status) => {
        try {
          parseDiskContents(answers({ os, status }), catalog);
        } catch (error) {
          expect(error).toBeInstanceOf(IngotError);
        }
      }),
    );
  });
});
