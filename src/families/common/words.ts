import { IngotError } from '../../base/errors.ts';

/** The error for a system section that says what cannot be. */
export function invalid(what: string, hint?: string): IngotError {
  return new IngotError('usage', 'system-invalid', what, hint === undefined ? {} : { hint });
}

/** The text, which goes into one line of a file; throws `system-invalid`. */
export function oneLine(text: string, what: string): string {
  if (/\p{Cc}/u.test(text)) throw invalid(`${what} holds a control character`);
  return text;
}
