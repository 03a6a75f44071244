import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';

/* The archive kata-static of a release of Kata Containers 4, as far as its paths go. */

const FILES: Readonly<Record<string, { readonly mode: number; readonly content: string }>> = {
  'opt/kata/runtime-rs/bin/containerd-shim-kata-v2': { mode: 0o755, content: '#!/bin/sh\necho Kata Containers containerd shim: stand-in\n' },
  'opt/kata/share/defaults/kata-containers/runtime-rs/configuration-qemu-runtime-rs.toml': { mode: 0o644, content: '[hypervisor.qemu]\n' },
  'opt/kata/VERSION': { mode: 0o644, content: '4.1.0\n' },
};

const BLOCK = 512;

/** A file of a tar archive in the ustar format (pax(1)), owned by root, of no time: the same files are the same archive. */
function entry(path: string, mode: number, content: string): Buffer {
  const cut = path.length > 100 ? path.lastIndexOf('/', 100) : -1;
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  header.write(path.slice(cut + 1), 0);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(Buffer.byteLength(content), 11), 124);
  header.write(octal(0, 11), 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  if (cut > 0) header.write(path.slice(0, cut), 345);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  const body = Buffer.from(content);
  return Buffer.concat([header, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}

const tar = Buffer.concat([...Object.entries(FILES).map(([path, { mode, content }]) => entry(path, mode, content)), Buffer.alloc(2 * BLOCK)]);

/** kata-static-<version>-<arch>.tar.zst */
export const KATA_STATIC: Buffer = zstdCompressSync(tar);
export const KATA_SHA256: string = createHash('sha256').update(KATA_STATIC).digest('hex');
