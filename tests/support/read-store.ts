import { realHost } from '../../src/base/host.ts';
import { homeAt } from '../../src/base/home.ts';
import { hostPath, keyFromHex } from '../../src/base/types.ts';
import { openStore } from '../../src/store/store.ts';
import { readStore } from './store-readers.ts';

/* A process that reads a store until its standard input ends, and then prints what it saw. Called as: HOME IMAGE HEX-OF-LAYER-KEY READERS. */
const [, , root = '', image = '', hex = '', readers = '1'] = process.argv;
let reading = true;
process.stdin.on('end', () => (reading = false)).resume();
process.stdout.write('ready\n');
const report = await readStore(openStore(realHost(), homeAt(hostPath(root))), { image, layer: keyFromHex(hex) }, Number(readers), () => !reading);
process.stdout.write(`${JSON.stringify(report)}\n`);
