import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const ATTEMPTS = 5;

/** Extensions that the path of a URL may have, by format; compressed ones are left out, as ingot sends none. */
const EXTENSIONS: Readonly<Record<string, RegExp>> = { QCOW2: /\.(?:qcow2|img)$/, VHD: /\.vhd$/, OVA: /\.ova$/, RAW: /\.(?:raw|img)$/, ISO: /\.iso$/ };

/** What is wrong with a URL, in the server's words. */
export function urlFault(text: string, format: string, allowLoopback: boolean): string | undefined {
  if (!URL.canParse(text)) return 'The url is not valid';
  const { protocol, hostname, pathname } = new URL(text);
  if (!['http:', 'https:'].includes(protocol)) return `Unsupported scheme for url: ${protocol}`;
  if (EXTENSIONS[format]?.test(pathname) !== true) return `Please specify a valid ${format.toLowerCase()}: the URL has an invalid extension`;
  if (!allowLoopback && /^(?:127\.|localhost$|169\.254\.|\[)/.test(hostname))
    return 'Illegal host specified in url: loopback, link local and multicast addresses are refused';
  return undefined;
}

/** Fetches as a secondary storage VM does: asks for the size, takes up what was cut with a range, and checks what came. Throws its words. */
export async function download(
  url: string,
  file: string,
  checksum: string,
  onProgress: (percent: number) => void,
  get: typeof globalThis.fetch = globalThis.fetch,
): Promise<number> {
  const head = await get(url, { method: 'HEAD' });
  if (head.status !== 200) throw new Error(`HTTP status ${head.status}`);
  const size = Number(head.headers.get('content-length'));
  if (!Number.isSafeInteger(size) || size <= 0) throw new Error('the server does not say how large the file is');
  for (let attempt = 1; ; attempt++) {
    const from = await stat(file).then(
      ({ size: have }) => have,
      () => 0,
    );
    if (from === size) break;
    try {
      const answer = await get(url, from === 0 ? {} : { headers: { range: `bytes=${from}-` } });
      if (answer.status !== (from === 0 ? 200 : 206)) throw new Error(`HTTP status ${answer.status}`);
      if (answer.body === null) throw new Error('no body');
      let got = from;
      const source = Readable.fromWeb(answer.body).on('data', (chunk: Buffer) => onProgress(Math.floor((100 * (got += chunk.length)) / size)));
      await pipeline(source, createWriteStream(file, { flags: 'a' }));
    } catch (error) {
      if (attempt >= ATTEMPTS) throw error;
    }
  }
  if (checksum === '') return size;
  const [, algorithm = 'MD5', digits = checksum] = /^\{([^}]+)\}(.*)$/.exec(checksum) ?? [];
  const hash = createHash(algorithm.replace('-', '').toLowerCase());
  const { createReadStream } = await import('node:fs');
  for await (const chunk of createReadStream(file)) if (Buffer.isBuffer(chunk)) hash.update(chunk);
  const got = hash.digest('hex');
  if (got !== digits) throw new Error(`Downloaded file's checksum ${got} doesn't match the checksum ${digits} that was given`);
  return size;
}
