import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';

export interface Uploaded {
  readonly fields: Readonly<Record<string, string>>;
  readonly filename: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

const FIELD = /^--([^\r\n]+)\r\nContent-Disposition: form-data; name="([^"]+)"\r\n\r\n([^\r\n]*)\r\n/;
/** Content-Disposition has to be the first header of the file. */
const FILE = /^--([^\r\n]+)\r\nContent-Disposition: form-data; name="([^"]+)"; filename="([^"]+)"\r\n(?:[^\r\n]+\r\n)*\r\n/;
const MOST_HEAD = 64 * 1024;

/** Reads a form as the server does: in one go through it, fields first, then the file called `filename`. A string says what it does not understand. */
export async function readUpload(request: IncomingMessage, file: string): Promise<Uploaded | string> {
  const boundary = /boundary=(\S+)/.exec(request.headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) return 'no boundary';
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  const fields: Record<string, string> = {};
  let [head, filename, tail]: [Buffer, string | undefined, Buffer] = [Buffer.alloc(0), undefined, Buffer.alloc(0)];
  const hash = createHash('sha256');
  const out = createWriteStream(file);
  let size = 0;
  const take = async (bytes: Buffer): Promise<void> => {
    // The last bytes may be the end of the form.
    const all = Buffer.concat([tail, bytes]);
    const content = all.subarray(0, Math.max(0, all.length - end.length));
    tail = all.subarray(content.length);
    hash.update(content);
    size += content.length;
    if (content.length > 0 && !out.write(content)) await once(out, 'drain');
  };
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) return 'no bytes';
    if (filename !== undefined) {
      await take(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    for (;;) {
      const text = head.subarray(0, MOST_HEAD).toString('latin1');
      const found = FILE.exec(text);
      if (found !== null && found[1] === boundary) {
        if (found[2] !== 'filename') return `the file is called ${found[2]}`;
        filename = found[3];
        await take(head.subarray(found[0].length));
        break;
      }
      const field = FIELD.exec(text);
      if (field === null) break;
      fields[field[2] ?? ''] = field[3] ?? '';
      head = head.subarray(field[0].length);
    }
    if (head.length > MOST_HEAD && filename === undefined) return 'the form is not understood';
  }
  out.end();
  await once(out, 'close');
  if (filename === undefined || !tail.equals(end)) return 'the form has no end';
  return { fields, filename, file, size, sha256: hash.digest('hex') };
}
