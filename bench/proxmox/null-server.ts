import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSigned } from '../../tests/simulators/proxmox/self-signed.ts';

/*
 * The fastest Proxmox VE that there can be: takes uploads, throws them away, and says that the task which moves them is done. Prints its address and its
 * fingerprint, and runs until it is ended.
 */

const { key, certificate, fingerprint } = selfSigned('null.example');
const UPID = 'UPID:pve:000003E8:00000001:6B0BE710:imgcopy::ingot@pve!bench:';
const server = createServer({ key, cert: certificate }, (request, response) => {
  const path = request.url ?? '';
  const data = path.endsWith('/status') ? { status: 'stopped', exitstatus: 'OK' } : path.includes('/log') ? [] : UPID;
  request.on('end', () => response.setHeader('content-type', 'application/json').end(JSON.stringify({ data })));
  request.resume();
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: `https://127.0.0.1:${port}`, fingerprint })}\n`);
});
