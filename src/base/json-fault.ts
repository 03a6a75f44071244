/** What is wrong with a text that is no JSON, and where, from 1. */
export interface JsonFault {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** Why a text is no JSON; undefined where it is. */
export function jsonFault(text: string): JsonFault | undefined {
  const message = refusal(text);
  if (message === undefined) return undefined;
  const before = text.slice(0, positionIn(message) ?? lengthOfSound(text)).split('\n');
  return {
    message: message.replace(/ in JSON at position [^]*$|, (?:\.\.\.)?"[^]*is not valid JSON$/, ''),
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
  };
}

function refusal(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function positionIn(message: string): number | undefined {
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  return position === undefined ? undefined : Number(position);
}

/** V8 shows what is around an unexpected character, and does not say where it is: behind the longest beginning that could go on. */
function lengthOfSound(text: string): number {
  if (goesOn(text)) return text.length;
  let [good, bad] = [0, text.length];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (goesOn(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

/** Whether a text is the beginning of JSON: nothing is wrong with it but its end. */
function goesOn(text: string): boolean {
  const message = refusal(text);
  return message === undefined || /^Unexpected end|^Unterminated/.test(message) || (positionIn(message) ?? -1) >= text.length;
}
