import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';

// eslint-disable-next-line no-control-regex -- escape sequences of terminals are what is removed
const ESCAPES = /\u001B(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)|[@-Z\\-_=>c78])/g;
// eslint-disable-next-line no-control-regex -- control characters are what is removed
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;
/** A line is rarely longer than this; enough is read for the lines asked for. */
const LINE_BYTES = 400;

/** What a guest wrote to its serial console, as text that does nothing to a terminal. */
export function consoleText(bytes: Uint8Array | string): string {
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8');
  return text.replaceAll(ESCAPES, '').replaceAll(/\r+\n/g, '\n').replaceAll('\r', '\n').replaceAll(CONTROLS, '');
}

/** The last lines of a console log that hold anything; empty where there is no log. */
export async function consoleTail(host: Pick<Host, 'files'>, log: HostPath, lines: number): Promise<string> {
  const status = await host.files.status(log);
  if (status === undefined) return '';
  const length = Math.min(status.size, lines * LINE_BYTES);
  const text = consoleText(await host.files.readPart(log, status.size - length, length));
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lines)
    .join('\n');
}
