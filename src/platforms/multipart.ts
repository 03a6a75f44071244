import { open } from 'node:fs/promises';
import { IngotError } from '../base/errors.ts';
import type { HostPath } from '../base/types.ts';
import type { StreamBody } from './transport.ts';

export interface UploadFile {
  readonly path: HostPath;
  readonly size: number;
  /** Hexadecimal digits. The servers are told, and refuse what is not that: to hash it here as well would find nothing more. */
  readonly sha256: string;
}

/** Large enough that reading costs little, small enough for memory that stays flat. */
const PIECE = 2 ** 20;
const buffer = (): Buffer => Buffer.allocUnsafeSlow(PIECE);

export interface UploadForm {
  /** What stands before the file, in this order. */
  readonly fields: readonly (readonly [string, string])[];
  /** Name of the field that holds the file. */
  readonly field: string;
  readonly filename: string;
  readonly boundary: string;
  readonly onProgress?: ((sent: number) => void) | undefined;
}

/**
 * The form of an upload, with its exact length. Servers' parsers go through it once: the fields first, then the file, whose first header is its
 * Content-Disposition.
 */
export function uploadBody(file: UploadFile, form: UploadForm): StreamBody {
  const { boundary } = form;
  const field = (name: string, value: string): string => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const head = Buffer.from(
    [
      ...form.fields.map(([name, value]) => field(name, value)),
      `--${boundary}\r\nContent-Disposition: form-data; name="${form.field}"; filename="${form.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    ].join(''),
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield head;
    await using source = await open(file.path, 'r');
    // The connection takes a piece only when the one before has left it; between the two is one that is read ahead.
    const ring = [buffer(), buffer(), buffer(), buffer()] as const;
    let [sent, turn] = [0, 0];
    while (sent < file.size) {
      const into = ring[turn++ % ring.length] ?? ring[0];
      const { bytesRead } = await source.read(into, 0, Math.min(PIECE, file.size - sent), sent);
      if (bytesRead === 0) break;
      const piece = into.subarray(0, bytesRead);
      sent += bytesRead;
      yield piece;
      form.onProgress?.(sent);
    }
    if (sent !== file.size) {
      // The form stays without its end, so the server takes nothing.
      throw new IngotError('verification', 'upload-changed', 'The file to be uploaded has become shorter while it was read', { hint: 'Run it again.' });
    }
    yield end;
  }
  return { length: head.length + file.size + end.length, type: `multipart/form-data; boundary=${boundary}`, pieces };
}
