import { createHash, createHmac } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import type { SimCloud } from './cloud.ts';
import { POST_KEY } from './template-routes.ts';

const metadataSchema = z.object({ id: z.string(), zone: z.string(), checksum: z.string(), format: z.string() });

/** What an upload ends with: the status, and a word. */
export interface UploadEnd {
  readonly status: number;
  readonly text: string;
}

const refused = (status: number, text: string): UploadEnd => ({ status, text });
/** What a file begins with, by format: a name alone proves nothing. */
const MAGIC: Readonly<Record<string, string>> = { QCOW2: 'QFI\xfb' };

/** Takes an upload as a secondary storage VM does: signature and headers first, then one file in a form, whose checksum and beginning have to be right. */
export async function takeUpload(cloud: SimCloud, request: IncomingMessage, url: string, options: { readonly checkContent: boolean }): Promise<UploadEnd> {
  const header = (name: string): string => String(request.headers[name] ?? '');
  const [signature, metadata, expires] = [header('x-signature'), header('x-metadata'), header('x-expires')];
  if (signature === '' || metadata === '' || expires === '') return refused(400, 'signature, metadata and expires are compulsory fields.');
  if (
    signature !==
    createHmac('sha1', POST_KEY)
      .update(metadata + url + expires)
      .digest('base64')
  )
    return refused(400, 'signature validation failed.');
  if (Date.parse(expires) < Date.now() + cloud.skewSeconds * 1000) return refused(400, 'request not valid as it has expired.');
  const length = Number(header('content-length'));
  if (!Number.isSafeInteger(length) || length <= 0) return refused(411, 'Content-Length is missing.');
  const { id, zone, checksum, format } = metadataSchema.parse(JSON.parse(Buffer.from(metadata, 'base64').toString('utf8')));
  const template = cloud.templates.get(id);
  const row = template?.rows.get(zone);
  if (template === undefined || row === undefined) return refused(400, 'the template is not there any more.');
  row.status = 'Upload in progress';
  const boundary = /boundary=(\S+)/.exec(header('content-type'))?.[1];
  if (boundary === undefined) return refused(400, 'no form');
  const raw = cloud.nextFile();
  await pipeline(request, createWriteStream(raw));
  const { filename, from, until } = await placeIn(raw, boundary, length);
  if (filename === undefined) return refused(400, 'the form is not understood');
  if (!filename.endsWith(`.${format.toLowerCase()}`))
    return refused(400, `File type mismatch between the sent file and the actual content. Received: ${filename}`);
  const file = `${raw}.content`;
  const hash = createHash('sha256');
  const part = createReadStream(raw, { start: from, end: until - 1 });
  part.on('data', (chunk) => void hash.update(chunk));
  await pipeline(part, createWriteStream(file));
  await rm(raw);
  const digits = hash.digest('hex');
  if (`{SHA-256}${digits}` !== checksum) {
    row.failed = true;
    row.status = 'Upload failed: checksum mismatch';
    return refused(500, 'checksum validation failed');
  }
  const magic = MAGIC[format];
  if (options.checkContent && magic !== undefined) {
    const begin = createReadStream(file, { start: 0, end: magic.length - 1, encoding: 'latin1' });
    for await (const text of begin) if (text !== magic) return refused(500, 'the content is no QCOW2');
  }
  await rename(file, raw);
  cloud.arrived(row, raw);
  return { status: 200, text: 'OK' };
}

/** Where the one file of a form lies. */
async function placeIn(path: string, boundary: string, length: number): Promise<{ filename: string | undefined; from: number; until: number }> {
  let head = '';
  for await (const chunk of createReadStream(path, { start: 0, end: 4095, encoding: 'latin1' })) head += String(chunk);
  const match = /^--([^\r\n]+)\r\nContent-Disposition: form-data; name="[^"]+"; filename="([^"]+)"\r\n(?:[^\r\n]+\r\n)*\r\n/i.exec(head);
  const end = `\r\n--${boundary}--\r\n`.length;
  if (match === null || match[1] !== boundary) return { filename: undefined, from: 0, until: 0 };
  return { filename: match[2], from: match[0].length, until: length - end };
}
