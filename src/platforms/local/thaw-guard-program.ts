/*
 * Thaws a guest whose ingot has ended while the guest's file systems were frozen: `<agent socket> <mark>`. Its standard input says "done" when they
 * have been thawed; where that ends without, it thaws them itself and removes the mark, and tries until the agent answers or the machine is gone.
 * Imports nothing but Node.
 */
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whoever holds the VM next thaws it where this was too short. */
const LIMIT_SECONDS = 300;
/** Seconds that the agent has to answer; it may be busy with freezing. */
const ANSWER_SECONDS = 30;
const SYNC_BYTE = 0xff;

const [path, mark] = process.argv.slice(2);
if (path === undefined || mark === undefined) throw new Error('usage: thaw-guard-program SOCKET MARK');

let heard = '';
for await (const chunk of process.stdin.setEncoding('utf8')) heard += String(chunk);
const end = Date.now() + LIMIT_SECONDS * 1000;
while (heard.trim() !== 'done' && Date.now() < end) {
  const answer = await thaw(path, mark);
  if (answer !== 'silent') break;
  await sleep(500);
}
process.exit(0);

/** Asks the agent once, after a synchronisation that makes it drop what it has read of another conversation. */
async function thaw(socketPath: string, frozenMark: string): Promise<'thawed' | 'gone' | 'silent'> {
  const { promise, resolve } = Promise.withResolvers<'thawed' | 'gone' | 'silent'>();
  const socket = connect(socketPath);
  const timer = setTimeout(() => resolve('silent'), ANSWER_SECONDS * 1000);
  let answers = '';
  socket.setEncoding('latin1');
  socket.on('connect', () => {
    socket.write(Buffer.of(SYNC_BYTE));
    socket.write(
      `${JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id: process.pid } })}\n${JSON.stringify({ execute: 'guest-fsfreeze-thaw' })}\n`,
    );
  });
  socket.on('data', (data) => {
    answers += String(data);
    const own = answers.slice(answers.lastIndexOf('\u00FF') + 1);
    const lines = own.split('\n').filter((line) => line.trim() !== '');
    // The first is the synchronisation's, the second says how many file systems were thawed.
    if (lines.length >= 2 && own.endsWith('\n')) resolve('thawed');
  });
  socket.on('error', (error) => resolve('code' in error && error.code === 'EAGAIN' ? 'silent' : 'gone'));
  socket.on('close', () => resolve('silent'));
  try {
    const answer = await promise;
    // While it still is the agent's only client: the next one may freeze, and mark that.
    if (answer === 'thawed') rmSync(frozenMark, { force: true });
    return answer;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
