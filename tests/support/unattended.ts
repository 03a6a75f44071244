import type { Context } from '../../src/operations/operation.ts';

/** What a front end gives an operation of which nobody sees anything: all is agreed to, nothing is typed, programs end well. */
export const UNATTENDED: Pick<Context, 'verbose' | 'consent' | 'askHidden' | 'standardInput' | 'attach' | 'write'> = {
  verbose: false,
  consent: () => Promise.resolve(true),
  askHidden: () => Promise.resolve(''),
  standardInput: () => Promise.resolve(undefined),
  attach: () => Promise.resolve(0),
  write: () => undefined,
};
