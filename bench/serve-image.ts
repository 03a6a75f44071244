/* The image server by itself, for the bench: prints its URL, then its largest memory for each line on standard input, and ends with that. */
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { realHost } from '../src/base/host.ts';
import { hostPath } from '../src/base/types.ts';
import { serveImage } from '../src/platforms/cloudstack/image-server.ts';

const [file = '', port = '0'] = process.argv.slice(2);
const { size } = await stat(file);
await using server = await serveImage(
  { path: hostPath(file), size, sha256: '' },
  { address: '127.0.0.1', port: Number(port), filename: 'image.qcow2', random: realHost().random },
);
console.log(server.url);
for await (const _line of createInterface({ input: process.stdin })) console.log(process.resourceUsage().maxRSS / 1000);
