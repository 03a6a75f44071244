import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

/*
 * Stands for QEMU with an installer in it, where a test is about following an installation: it has a monitor, a console, and a guest that fetches its answers and does
 * what they say, in comments or not. Called with QEMU's own words; the last is where this host's loopback interface is for the guest.
 */
const words = process.argv.slice(2);
const after = (flag: string): string => words[words.indexOf(flag) + 1] ?? '';
const option = (name: string): string => words.map((word) => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(word)?.[1]).find((found) => found !== undefined) ?? '';
const socketOf = (id: string): string =>
  words.map((word) => new RegExp(`^socket,id=${id},path=([^,]*)`).exec(word)?.[1]).find((found) => found !== undefined) ?? '';

const consoleFile = option('logfile');
const say = (text: string): void => appendFileSync(consoleFile, text);
const clients = new Set<Socket>();
let written = 0;

writeFileSync(consoleFile, '');
writeFileSync(after('-pidfile'), `${process.pid}\n`);
createServer((socket) => {
  clients.add(socket);
  socket.on('error', () => undefined);
  socket.write('{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\n');
  socket.on('data', (data) => {
    for (const line of String(data).trim().split('\n')) {
      const { execute, id, arguments: given = {} }: { execute: string; id: number; arguments?: { filename?: string } } = JSON.parse(line);
      if (given.filename !== undefined) writeFileSync(given.filename, 'a picture');
      const answer = execute === 'query-blockstats' ? [{ stats: { rd_bytes: 0, wr_bytes: written } }] : {};
      socket.write(`${JSON.stringify({ return: answer, id })}\n`);
    }
  });
  // ingot looks whether it is there, then stays.
  if (clients.size === 2) void install();
}).listen(socketOf('qmp'));

const event = (name: string, data: object): void => {
  for (const client of clients) client.write(`${JSON.stringify({ event: name, data, timestamp: {} })}\n`);
};

async function install(): Promise<void> {
  say('[    0.000000] Linux version 6.1.0\r\n');
  const url = /url=(\S+)/.exec(after('-append'))?.[1] ?? '';
  const answers = await (await fetch(url.replace('10.0.2.2', '127.0.0.1'))).text();
  for (const line of answers.split('\n')) {
    const [verb, ...rest] = line.replace(/^#/, '').split(' ');
    if (verb === 'say') say(`${rest.join(' ')}\r\n`);
    if (verb === 'ask') say(`${rest.join(' ')}\r\nPrompt: '?' for help> `);
    if (verb === 'write') written += Number(rest[0]) * 2 ** 20;
    if (verb === 'full') event('BLOCK_IO_ERROR', { nospace: true, action: 'stop' });
    if (verb === 'end') {
      // The monitor is asked for what was written first.
      await new Promise((resolve) => setTimeout(resolve, 300));
      event('SHUTDOWN', { guest: true, reason: rest[0] });
      setTimeout(() => process.exit(0), 20);
    }
  }
}
