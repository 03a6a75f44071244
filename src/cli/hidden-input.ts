import { addAbortSignal } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { IngotError } from '../base/errors.ts';
import { formatSize } from '../base/types.ts';
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
  return async (limit) => {
    const { stdin } = user.cli;
    if (stdin.isTTY === true) return undefined;
    const pieces: Uint8Array[] = [];
    let size = 0;
    // A pipe that nobody closes is waited for, until Ctrl-C.
    for await (const piece of addAbortSignal(user.stop.signal, stdin)) {
      const bytes = Buffer.from(piece);
      size += bytes.length;
      if (size > limit) throw new IngotError('usage', 'input-too-large', `More than ${formatSize(limit)} were piped in`, { hint: 'Nothing was changed.' });
      pieces.push(bytes);
    }
    return Buffer.concat(pieces);
  };
}

/** Terminals that know them put marks around what is pasted, so that a line end in it is part of it. */
const PASTE_MARKS = { on: '\u001B[?2004h', off: '\u001B[?2004l' };

async function readHidden({ cli, stderr, stop }: UserAccess, prompt: string): Promise<string> {
  const { stdin } = cli;
  stop.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new StringDecoder('utf8');
  const line = new TypedLine();
  const onData = (data: Buffer): void => {
    const ended = line.type(decoder.write(data));
    if (ended === 'interrupted') reject(new IngotError('interrupted', 'interrupted', 'Stopped before it was done'));
    else if (ended === 'entered') resolve(line.text());
  };
  const onEnd = (): void => resolve(line.text());
  const onAbort = (): void => reject(stop.signal.reason);
  // Before the question, so that what is typed at once is hidden too.
  stdin.setRawMode(true);
  try {
    stderr.write(`${PASTE_MARKS.on}${prompt}`);
    stdin.on('data', onData).once('end', onEnd).resume();
    stop.signal.addEventListener('abort', onAbort);
    return await promise;
  } finally {
    stdin.off('data', onData).off('end', onEnd).pause();
    stop.signal.removeEventListener('abort', onAbort);
    stdin.setRawMode(false);
    stderr.write(`${PASTE_MARKS.off}\n`);
  }
}

/** What a terminal in raw mode sends for one line: characters, pastes, and keys that change it or that mean nothing here. */
export class TypedLine {
  #characters: string[] = [];
  /** An escape sequence that is not complete yet. */
  #escape = '';
  #pasting = false;

  /** Takes what came; tells when the line is at its end. What comes after that is dropped. */
  type(keys: string): 'entered' | 'interrupted' | undefined {
    for (const key of keys) {
      if (this.#escape !== '' || key === '\u001B') this.#sequence(key);
      else if (this.#pasting) this.#characters.push(key === '\r' ? '\n' : key);
      else if (key === '\r' || key === '\n' || key === '\u0004') return 'entered';
      else if (key === '\u0003') return 'interrupted';
      else if (key === '\b' || key === '\u007F') this.#characters.pop();
      else if (key === '\u0015') this.#characters = [];
      else if (key >= ' ' || key === '\t') this.#characters.push(key);
    }
    return undefined;
  }

  /** The line so far; a line end after a single pasted line is not part of it. */
  text(): string {
    return this.#characters.join('').replace(/^([^\n]*)\n$/, '$1');
  }

  /** ESC [ parameters letter, ESC O letter, or ESC and one character (ECMA-48); only the marks of a paste have a meaning. */
  #sequence(key: string): void {
    this.#escape += key;
    const complete = /^\u001B(?:\[[0-?]*[ -/]*[@-~]|O.|[^[O])$/u.test(this.#escape);
    if (!complete) return;
    if (this.#escape === '\u001B[200~') this.#pasting = true;
    if (this.#escape === '\u001B[201~') this.#pasting = false;
    this.#escape = '';
  }
}
