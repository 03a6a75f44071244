/*
 * What is written as HCL2, or as JSON in HCL's own mapping, as a value. Packer's folders are made of it; nothing here knows Packer.
 */

/** An expression that is written as it stands: `var.cpus`, `local.name`. */
export class Code {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A text in which expressions stand: parts that are text mean themselves. */
export class Interpolated {
  readonly parts: readonly (string | Code)[];

  constructor(...parts: readonly (string | Code)[]) {
    this.parts = parts;
  }
}

export type HclValue = string | number | boolean | Code | Interpolated | readonly HclValue[] | { readonly [name: string]: HclValue };

export interface HclArgument {
  readonly kind: 'argument';
  readonly name: string;
  readonly value: HclValue;
}

export interface HclBlock {
  readonly kind: 'block';
  readonly type: string;
  readonly labels: readonly string[];
  /** Lines above it, without their marks. */
  readonly comment: readonly string[];
  readonly body: readonly HclItem[];
}

/** A line of its own that is for people; `''` is an empty line. */
export interface HclComment {
  readonly kind: 'comment';
  readonly text: string;
}

export type HclItem = HclArgument | HclBlock | HclComment;

/** One argument. */
export function argument(name: string, value: HclValue): HclArgument {
  return { kind: 'argument', name, value };
}

/** Several arguments; those that are undefined are left out. */
export function args(values: Readonly<Record<string, HclValue | undefined>>): HclArgument[] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [argument(name, value)]));
}

/** A comment on lines of its own. */
export function comment(text: string): HclComment {
  return { kind: 'comment', text };
}

/** A block; its comment is one text, in lines. */
export function block(type: string, labels: readonly string[], body: readonly HclItem[], about = ''): HclBlock {
  return { kind: 'block', type, labels, body, comment: about === '' ? [] : about.split('\n') };
}
