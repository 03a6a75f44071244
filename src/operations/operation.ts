import type * as z from 'zod';
import type { Events } from '../base/events.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Argv } from '../base/process.ts';
import type { Settings } from '../base/settings.ts';
import type { HostPath } from '../base/types.ts';

/**
 * What a front end does with an operation: show the answer of a **query**, follow a **job** and then show its
 * result, print a **stream** until it is stopped, or hand the terminal over to a **terminal** session.
 */
export type OperationKind = 'query' | 'job' | 'stream' | 'terminal';

/** What an operation works with. */
export interface Context {
  readonly host: Host;
  readonly home: Home;
  readonly settings: Settings;
  /** Where the user works, for what belongs to a project; a front end without such a place has none. */
  readonly folder?: HostPath;
  readonly events: Events;
  /** Fires on Ctrl-C; work in hand is undone and closed. */
  readonly signal: AbortSignal;
  /** Prints the tools' own output as it comes. */
  readonly verbose: boolean;
  /**
   * Asks the user to agree to something that changes the host. Throws `consent-needed` with the command that
   * agrees beforehand where nobody can be asked; resolves to false where the user says no.
   */
  consent(question: string): Promise<boolean>;
  /**
   * Asks for a text that must not be seen: it is typed without echo, twice with `repeat`. Throws `input-needed`, with
   * `otherwise` as its hint, where nobody can be asked, and `input-differs`.
   */
  askHidden(question: string, options?: { readonly repeat?: boolean; readonly otherwise?: string }): Promise<string>;
  /** All that is piped in, of `limit` bytes at most; undefined where standard input is a terminal. Throws `input-too-large`. */
  standardInput(limit: number): Promise<Uint8Array | undefined>;
  /** Gives the user's terminal to a program (ssh, a shell) and returns its exit code. Throws `terminal-needed` without one. */
  attach(argv: Argv, options?: { readonly env?: Readonly<Record<string, string>> }): Promise<number>;
  /** Writes to the user's standard output while a stream or terminal operation runs. */
  write(text: string): void;
}

export interface Example {
  readonly command: string;
  readonly does: string;
}

/** How a result is shown on a terminal. */
export interface RenderOptions {
  readonly color: boolean;
  /** Columns; infinite where no terminal shows it, so that nothing is cut. */
  readonly width: number;
}

/**
 * Something that ingot can do, declared once. Flags, help, completion, the HTTP API, the TUI and the reference
 * are made from this.
 *
 * Input keys are camelCase and become flags (`allowExpiredMetadata` -> `--allow-expired-metadata`). A key whose
 * schema has `.meta({ positional: true })` is given by position, in the order of the keys; an array that is
 * positional takes all that follow (`-- cmd args` included). `.meta({ short: 'x' })` adds `-x`.
 * `.meta({ complete: 'image' | 'vm' | 'lab' | 'release' | 'template' | 'role' | 'package' | 'profile' | 'target' | 'publication' })` names what shell completion offers.
 * A value of type `clientFile` (client-file.ts) is a path of the front end's machine, made absolute by the front end.
 */
export interface Operation<Input extends z.core.$ZodObject = z.core.$ZodObject, Output extends z.core.$ZodType = z.core.$ZodType> {
  /** Words of the command: `image list`. */
  readonly name: string;
  readonly summary: string;
  /** More than the summary says, in plain sentences, for the help and the reference. */
  readonly description?: string;
  readonly kind: OperationKind;
  readonly input: Input;
  readonly output: Output;
  readonly examples: readonly Example[];
  /** Headings in the help for keys of the input, where there are too many for one list; keys that none has stay under Options, which come first. */
  readonly headings?: Readonly<Record<string, readonly string[]>>;
  /** It mends settings, so it runs where they are broken, with those that are built in. */
  readonly mendsSettings?: boolean;
  run(input: z.output<Input>, context: Context): Promise<z.output<Output>>;
  /** The result as text for people; without it, a front end prints JSON. */
  render?(output: z.output<Output>, options: RenderOptions): string;
  /** The exit code that a good result stands for, where it is not 0 (the status of a command run in a VM). */
  exitCode?(output: z.output<Output>): number;
}

/** Declares an operation; only there for type inference. */
export function defineOperation<Input extends z.core.$ZodObject, Output extends z.core.$ZodType>(
  operation: Operation<Input, Output>,
): Operation<Input, Output> {
  return operation;
}
