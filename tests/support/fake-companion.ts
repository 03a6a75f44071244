import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

/* Stands for a program that QEMU connects to: listens on a socket, and writes down who it is and what it was called with. Called as: node fake-companion.ts SOCKET [fail] */
const [, , socketPath = '', ...words] = process.argv;

if (words[0] === 'fail') {
  process.stderr.write('the companion cannot\n');
  process.exit(1);
}
writeFileSync(`${socketPath}.pid`, String(process.pid));
writeFileSync(`${socketPath}.words`, JSON.stringify(words));
createServer().listen(socketPath);
