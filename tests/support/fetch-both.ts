import { createHash } from 'node:crypto';
import { toIngotError } from '../../src/base/errors.ts';
import { homeAt } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { fetchLargeFile } from '../../src/base/transfer/large-file.ts';
import { fetchSmallFile } from '../../src/base/transfer/small-file.ts';
import { hostPath } from '../../src/base/types.ts';

/* A process that fetches a file by both ways, small and large, and prints the SHA-256 of what came, or what went wrong. Called as: HOME URL SHA256. */
const [, , root = '', url = '', hex = ''] = process.argv;
const real = realHost();
const host = { ...real, clock: { ...real.clock, sleep: async () => undefined } };
const home = homeAt(hostPath(root));
const { signal } = new AbortController();

async function said(work: Promise<string>): Promise<string> {
  try {
    return await work;
  } catch (error) {
    const { code, message } = toIngotError(error);
    return `${code}: ${message}`;
  }
}

const small = async (): Promise<string> => {
  const { bytes } = await fetchSmallFile(host, url, { folder: home.checksums, offline: false, limit: 2 ** 20, signal, hint: '' });
  return createHash('sha256').update(bytes).digest('hex');
};
const large = async (): Promise<string> => {
  const file = { urls: [url], limit: 2 ** 30, digest: { algorithm: 'sha256', hex } } as const;
  return (await fetchLargeFile(host, home, file, { offline: false, signal, tuning: { range: 65_536 } })).sha256;
};
process.stdout.write(JSON.stringify({ small: await said(small()), large: await said(large()) }));
