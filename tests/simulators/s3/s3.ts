import { createHash, createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/*
 * A small S3 server that holds objects in memory, checks every signature by itself (from what arrives, not with the client's code), and can be told to
 * cut connections.
 */

export interface SimulatedS3 extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** `METHOD path?query` of every request. */
  readonly requests: string[];
  readonly objects: Map<string, Buffer>;
  readonly uploads: Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>;
  /** The request that fails, from 1: before anything is done, or after all is. */
  cut?: { readonly at: number; readonly how: 'before' | 'after' };
}

const LEAST_PART = 5 * 2 ** 20;

export async function simulateS3(): Promise<SimulatedS3> {
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const self: SimulatedS3 = {
    endpoint: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    accessKeyId: 'AKIDSIMULATOR',
    secretAccessKey: 'a/secret+key',
    requests: [],
    objects: new Map(),
    uploads: new Map(),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    self.requests.push(`${request.method} ${request.url}`);
    const cut = self.cut?.at === self.requests.length ? self.cut.how : undefined;
    if (cut === 'before') return void response.destroy();
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(Buffer.from(piece));
    const body = Buffer.concat(pieces);
    const wrong = whatIsWrong(request, body, self);
    const reply = wrong === undefined ? react(request, body) : { status: 403, body: `<Error><Code>${wrong}</Code></Error>` };
    if (cut === 'after') return void response.destroy();
    const bytes = Buffer.from(reply.body ?? '');
    response.writeHead(reply.status, { 'content-length': String(bytes.length), ...reply.headers });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  function react(request: IncomingMessage, body: Buffer): { status: number; headers?: Record<string, string>; body?: string | Buffer } {
    const url = new URL(request.url ?? '/', self.endpoint);
    const [, , ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const query = url.searchParams;
    const id = query.get('uploadId');
    const upload = id === null ? undefined : self.uploads.get(id);
    if (id !== null && upload?.key !== key) return { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' };
    if (request.method === 'PUT' && upload !== undefined) {
      upload.parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: etag(body) } };
    }
    if (request.method === 'PUT') {
      self.objects.set(key, body);
      return { status: 200, headers: { etag: etag(body) } };
    }
    if (request.method === 'POST' && query.has('uploads')) {
      const made = randomUUID();
      self.uploads.set(made, { key, parts: new Map() });
      return { status: 200, body: `<InitiateMultipartUploadResult><UploadId>${made}</UploadId></InitiateMultipartUploadResult>` };
    }
    if (request.method === 'POST' && upload !== undefined && id !== null) return complete(id, upload, body.toString('utf8'));
    if (request.method === 'DELETE' && id !== null) {
      self.uploads.delete(id);
      return { status: 204 };
    }
    if (upload !== undefined) {
      const parts = [...upload.parts]
        .toSorted(([a], [b]) => a - b)
        .map(([n, bytes]) => `<Part><PartNumber>${n}</PartNumber><ETag>${escape(etag(bytes))}</ETag></Part>`);
      return { status: 200, body: `<ListPartsResult><IsTruncated>false</IsTruncated>${parts.join('')}</ListPartsResult>` };
    }
    if (key === '' && query.has('uploads')) {
      const open = [...self.uploads].filter(([, one]) => one.key.startsWith(query.get('prefix') ?? ''));
      return {
        status: 200,
        body: `<ListMultipartUploadsResult>${open.map(([one, { key: of }]) => `<Upload><Key>${escape(of)}</Key><UploadId>${one}</UploadId></Upload>`).join('')}</ListMultipartUploadsResult>`,
      };
    }
    if (key === '' && query.get('list-type') === '2') return list(query.get('prefix') ?? '', query.get('continuation-token'));
    const object = self.objects.get(key);
    if (object === undefined) return { status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' };
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    return { status: from === 0 ? 200 : 206, headers: { 'content-length': String(object.length - from) }, body: object.subarray(from) };
  }

  /** One key in each answer, so that who lists has to ask on. */
  function list(prefix: string, token: string | null) {
    const keys = [...self.objects.keys()].filter((key) => key.startsWith(prefix) && (token === null || key > token)).toSorted();
    const [first] = keys;
    const more = keys.length > 1 ? `<NextContinuationToken>${escape(first ?? '')}</NextContinuationToken>` : '';
    return {
      status: 200,
      body: `<ListBucketResult>${first === undefined ? '' : `<Contents><Key>${escape(first)}</Key></Contents>`}${more}</ListBucketResult>`,
    };
  }

  function complete(id: string, upload: { readonly key: string; readonly parts: Map<number, Buffer> }, said: string) {
    const told = [...said.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)];
    const parts = told.map(([, number]) => upload.parts.get(Number(number)));
    const wrong = told.some(([, , tag], i) => parts[i] === undefined || etag(parts[i]) !== tag?.replaceAll('&quot;', '"'));
    if (wrong) return { status: 400, body: '<Error><Code>InvalidPart</Code></Error>' };
    if (parts.slice(0, -1).some((part) => (part?.length ?? 0) < LEAST_PART)) return { status: 400, body: '<Error><Code>EntityTooSmall</Code></Error>' };
    self.objects.set(upload.key, Buffer.concat(parts.filter((part) => part !== undefined)));
    self.uploads.delete(id);
    return { status: 200, body: '<CompleteMultipartUploadResult/>' };
  }

  return self;
}

/** Signature Version 4, from the words of the request as they arrived. */
function whatIsWrong(request: IncomingMessage, body: Buffer, { accessKeyId, secretAccessKey }: SimulatedS3): string | undefined {
  const said = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    request.headers.authorization ?? '',
  );
  const [, id, day = '', region = '', names = '', signature] = said ?? [];
  if (id !== accessKeyId) return 'InvalidAccessKeyId';
  const hash = createHash('sha256').update(body).digest('hex');
  if (request.headers['x-amz-content-sha256'] !== hash) return 'XAmzContentSHA256Mismatch';
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const sorted = query
    .split('&')
    .map((pair) => (pair === '' || pair.includes('=') ? pair : `${pair}=`))
    .toSorted()
    .join('&');
  const lines = names.split(';').map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`);
  if (!names.split(';').includes('host')) return 'SignatureDoesNotMatch';
  const canonical = `${request.method}\n${path}\n${sorted}\n${lines.join('')}\n${names}\n${hash}`;
  const time = String(request.headers['x-amz-date'] ?? '');
  const text = `AWS4-HMAC-SHA256\n${time}\n${day}/${region}/s3/aws4_request\n${createHash('sha256').update(canonical).digest('hex')}`;
  const mac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
  const wanted = mac(mac(mac(mac(mac(`AWS4${secretAccessKey}`, day), region), 's3'), 'aws4_request'), text).toString('hex');
  return wanted === signature ? undefined : 'SignatureDoesNotMatch';
}

function etag(bytes: Buffer | undefined): string {
  return `"${createHash('md5')
    .update(bytes ?? '')
    .digest('hex')}"`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
