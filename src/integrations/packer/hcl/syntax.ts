/*
 * What was read, with the place of each part. Bounded: what Packer templates are mostly made of is understood; any other expression is kept as its text.
 */

/** Line and column count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type Expression = { readonly place: Place } & (
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  /** Text with expressions in it. */
  | { readonly kind: 'template'; readonly parts: readonly (string | Expression)[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly entries: readonly { readonly name: string; readonly place: Place; readonly value: Expression }[] }
  /** `var.cpus`, `local.names[0]`, `source.qemu.web`. */
  | { readonly kind: 'reference'; readonly path: readonly string[] }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[] }
  /** An operator, a condition, a loop: nothing that is computed here. */
  | { readonly kind: 'other'; readonly text: string }
);

export interface Argument {
  readonly name: string;
  readonly place: Place;
  readonly value: Expression;
}

export interface Block {
  readonly type: string;
  readonly labels: readonly string[];
  readonly place: Place;
  readonly body: Body;
}

export interface Body {
  readonly arguments: ReadonlyMap<string, Argument>;
  readonly blocks: readonly Block[];
}

/** A fault of a text that is read; whoever knows its file says so. */
export class HclFault extends Error {
  override readonly name = 'HclFault';
  readonly place: Place;

  constructor(message: string, place: Place) {
    super(message);
    this.place = place;
  }
}
