/*
 * Thaws a guest whose ingot has ended while the guest's filesystems were frozen: `<agent socket>`. Its standard input says "done" when they
 * have been thawed; where that ends without, it thaws them itself, and tries until the agent answers or the machine is gone. The mark in
 * the VM's record stays: whoever holds the VM next thaws once more, which hurts nobody. Imports nothing but Node.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whoever holds the VM next thaws it where this was too short. */
const LIMIT_SECONDS = 300;
/** Seconds that the agent has to answer; it may be busy with freezing. */
const ANSWER_SECONDS = 30;
const SYNC_BYTE = 0xff;

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: thaw-guard-program SOCKET');

let heard = '';
for await (const chunk of process.stdin.setEncoding('utf8')) heard += String(chunk);
const end = Date.now() + LIMIT_SECONDS * 1000;
while (heard.trim() !== 'done' && Date.now() < end) {
  const answer = await thaw(path);
  if (answer !== 'silent') break;
  await sleep(500);
}
process.exit(0);

/** Asks the agent once, after a synchronisation that makes it drop what it has read of another conversation. */
async function thaw(socketPath: string): Promise<'thawed' | 'gone' | 'silent'> {
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
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
