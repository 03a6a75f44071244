import { connect } from 'node:net';
import { IngotError } from '../../base/errors.ts';
import type { HostPath } from '../../base/types.ts';

/** Ctrl-]: what telnet and virsh leave with. */
const DETACH = 0x1d;

/** A terminal that can be read key by key. */
export interface KeyInput {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
  setRawMode?(raw: boolean): unknown;
}

/**
 * Connects keys and a screen with a guest's serial port, until Ctrl-] or the guest's end. The terminal is as before afterwards. Throws
 * `console-gone` where nobody serves the port.
 */
export async function bridgeConsole(socketPath: HostPath, input: KeyInput, write: (text: string) => void, signal: AbortSignal): Promise<'detached' | 'ended'> {
  using stack = new DisposableStack();
  const end = Promise.withResolvers<'detached' | 'ended'>();
  const socket = connect({ path: socketPath, signal });
  stack.defer(() => socket.destroy());
  const decoder = new TextDecoder();
  socket.on('data', (chunk) => write(typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })));
  socket.on('close', () => end.resolve('ended'));
  socket.on('error', (error) => end.reject(new IngotError('host', 'console-gone', `The console cannot be reached: ${error.message}`, { cause: error })));

  const onKeys = (chunk: Buffer): void => {
    const at = chunk.indexOf(DETACH);
    socket.write(at === -1 ? chunk : chunk.subarray(0, at));
    if (at !== -1) end.resolve('detached');
  };
  input.setRawMode?.(true);
  stack.defer(() => void input.setRawMode?.(false));
  input.on('data', onKeys);
  stack.defer(() => void input.off('data', onKeys));
  input.resume();
  stack.defer(() => void input.pause());
  return await end.promise;
}
