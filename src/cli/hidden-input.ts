import { StringDecoder } from 'node:string_decoder';
import { IngotError } from '../base/errors.ts';
import { someoneThere, type UserAccess } from './user.ts';
import type { Context } from '../operations/operation.ts';

/** {@link Context.askHidden} of the CLI: what is typed is not shown, and goes nowhere but to who asked. */
export function makeAskHidden(user: UserAccess): Context['askHidden'] {
  return async (question, options = {}) => {
    if (!someoneThere(user)) {
      throw new IngotError('usage', 'input-needed', `Nobody is there to answer: ${question}`, {
        hint: options.otherwise ?? 'Run it in a terminal.',
      });
    }
    user.progress.pause();
    try {
      const answer = await readHidden(user, `${question}: `);
      if (options.repeat !== true || answer === '') return answer;
      if ((await readHidden(user, 'The same again: ')) === answer) return answer;
      throw new IngotError('usage', 'input-differs', 'What was typed the second time is not the same', { hint: 'Nothing was changed. Try again.' });
    } finally {
      user.progress.resume();
    }
  };
}

/** {@link Context.standardInput} of the CLI. */
export function makeStandardInput(user: UserAccess): Context['standardInput'] {
  return async () => {
    if (user.cli.stdin.isTTY === true) return undefined;
    const pieces: Uint8Array[] = [];
    for await (const piece of user.cli.stdin) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  };
}

const BACKSPACE = new Set(['\b', '\u007F']);
const LINE_END = new Set(['\r', '\n', '\u0004']);
const CLEAR_LINE = '\u0015';
const CTRL_C = '\u0003';

async function readHidden({ cli, stderr, stop }: UserAccess, prompt: string): Promise<string> {
  const { stdin } = cli;
  stop.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new StringDecoder('utf8');
  let typed: string[] = [];
  const onData = (data: Buffer): void => {
    for (const character of decoder.write(data)) {
      if (LINE_END.has(character)) return resolve(typed.join(''));
      if (character === CTRL_C) return reject(new IngotError('interrupted', 'interrupted', 'Stopped before it was done'));
      if (BACKSPACE.has(character)) typed.pop();
      else if (character === CLEAR_LINE) typed = [];
      else if (character >= ' ' || character === '\t') typed.push(character);
    }
  };
  const onEnd = (): void => resolve(typed.join(''));
  const onAbort = (): void => reject(stop.signal.reason);
  // Before the question, so that what is typed at once is hidden too.
  stdin.setRawMode(true);
  try {
    stderr.write(prompt);
    stdin.on('data', onData).once('end', onEnd);
    stop.signal.addEventListener('abort', onAbort);
    return await promise;
  } finally {
    stdin.off('data', onData).off('end', onEnd).pause();
    stop.signal.removeEventListener('abort', onAbort);
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}
