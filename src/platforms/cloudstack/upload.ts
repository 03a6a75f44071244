import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { randomId } from '../../base/host.ts';
import { uploadBody } from '../multipart.ts';
import type { ExportedDisk } from '../platform.ts';
import type { Trust } from '../trust.ts';
import type { UploadParameters } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import type { MakeTransport } from './open.ts';

export interface UploadOptions {
  readonly filename: string;
  readonly trust: Trust;
  readonly makeTransport: MakeTransport;
  readonly span?: Span | undefined;
}

/**
 * Sends a file to the address that CloudStack gave for it: signed, so nothing of it is changed. Throws `upload-refused` with the server's words,
 * `upload-certificate` where the secondary storage VM shows a certificate that nobody vouches for, and what the transport throws.
 */
export async function sendUpload(client: CloudStackClient, to: UploadParameters, disk: ExportedDisk, options: UploadOptions): Promise<void> {
  const { origin, pathname, search } = new URL(to.postURL);
  const { span } = options;
  // The fingerprint of the management server is not that of a system VM; a CA may have signed both.
  const transport = options.makeTransport(origin, options.trust.kind === 'ca' ? options.trust : { kind: 'system' });
  try {
    const body = uploadBody(disk, {
      fields: [],
      field: 'file',
      filename: options.filename,
      boundary: `ingot-${randomId(client.host.random, 16)}`,
      onProgress: (sent) => span?.progress(sent, disk.size, 'bytes'),
    });
    const headers = { 'x-signature': to.signature, 'x-metadata': to.metadata, 'x-expires': to.expires, 'user-agent': 'ingot' };
    const answer = await transport.send({ method: 'POST', path: `${pathname}${search}`, headers, body, signal: client.signal });
    if (answer.status === 200) return;
    throw new IngotError('upstream', 'upload-refused', `The secondary storage VM refuses the upload, with status ${answer.status}: ${firstLine(answer.text)}`, {
      hint:
        answer.status === 502 || answer.status === 503
          ? 'Its service is down, or the version is one in which uploads are broken (4.18.0): --transfer serve needs none.'
          : 'Run it again; --transfer serve lets the zone fetch the file instead.',
    });
  } catch (error) {
    throw error instanceof IngotError && error.code === 'certificate-untrusted' ? badCertificate(origin, error) : error;
  } finally {
    await transport.close();
  }
}

function badCertificate(origin: string, cause: IngotError): IngotError {
  return new IngotError('verification', 'upload-certificate', `Nothing vouches for the certificate of the secondary storage VM at ${origin}`, {
    cause,
    detail: cause.message,
    hint: 'The one that comes with CloudStack has expired: upload one of your own (Infrastructure, SSL certificate), set use.https.to.upload to false, or use --transfer serve.',
  });
}

function firstLine(text: string): string {
  const line =
    text
      .replaceAll(/<[^>]*>/g, ' ')
      .trim()
      .split('\n')[0]
      ?.trim() ?? '';
  return line === '' ? 'no word' : line.slice(0, 200).replace(/[.\s]+$/, '');
}
