import { homeAt } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { fetchLargeFile } from '../../src/base/transfer/large-file.ts';
import { hostPath } from '../../src/base/types.ts';

/* A process that downloads a file and ends; it is to be killed in the middle. Called as: HOME URL SHA256. */
const [, , root = '', url = '', hex = ''] = process.argv;
const host = realHost();
await fetchLargeFile(
  host,
  homeAt(hostPath(root)),
  { urls: [url], limit: 2 ** 30, digest: { algorithm: 'sha256', hex } },
  { offline: false, signal: new AbortController().signal, tuning: { range: 65_536, saveSeconds: 0.02, connections: 2 } },
);
