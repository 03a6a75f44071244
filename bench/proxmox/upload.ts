import { Events } from '../../src/base/events.ts';
import { realHost } from '../../src/base/host.ts';
import { hostPath } from '../../src/base/types.ts';
import { ProxmoxClient } from '../../src/platforms/proxmox/client.ts';
import { httpsTransport } from '../../src/platforms/transport.ts';

/* Uploads one file as `publish` does, and prints the seconds that it took: `node upload.ts URL FINGERPRINT FILE SIZE SHA256`. */

const [url = '', fingerprint = '', file = '', size = '0', sha256 = ''] = process.argv.slice(2);
const host = realHost();
const client = new ProxmoxClient({
  tokenId: 'ingot@pve!bench',
  secret: 'none',
  transport: httpsTransport(url, { kind: 'fingerprint', sha256: fingerprint }),
  host,
  events: new Events('bench', () => undefined, host),
  signal: new AbortController().signal,
});
const start = performance.now();
await client.upload(
  { path: hostPath(file), size: Number(size), sha256 },
  { node: 'pve', storage: 'local', content: 'import', filename: 'bench.qcow2' },
  { done: () => Promise.resolve(false) },
);
process.stdout.write(`${(performance.now() - start) / 1000}\n`);
await client.close();
