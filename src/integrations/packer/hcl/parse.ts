import { jsonFault } from '../../../base/json-fault.ts';
import { Cursor } from './cursor.ts';
import { parseHeredoc, parseQuoted, parseTemplate } from './text.ts';
import { HclFault, type Argument, type Block, type Body, type Expression } from './syntax.ts';

/** Nothing that a person wrote is nested deeper. */
const MAX_DEPTH = 60;

/** Reads HCL2; throws an {@link HclFault} at the first place that is none. */
export function parseHcl(text: string): Body {
  const parser = new Parser(new Cursor(text.replace(/^\ufeff/, '')));
  return parser.body(0, false);
}

/** Reads JSON as one expression, in which texts are what they say; throws an {@link HclFault}. */
export function parseJson(text: string): Expression {
  const json = text.replace(/^\ufeff/, '');
  const found = new Parser(new Cursor(json), true).only();
  // HCL is more lenient, as with a comma at the end of a list.
  const fault = jsonFault(json);
  if (fault !== undefined) throw new HclFault(`is no JSON: ${fault.message}`, { line: fault.line, column: fault.column });
  return found;
}

/** Reads the expressions in a text, as JSON has them: `${var.cpus}`. They are all told to stand where the text does. */
export function parseTemplateText(text: string, place: Expression['place']): Expression {
  const cursor = new Cursor(text);
  try {
    return { ...simplified(parseTemplate(cursor, { escapes: false, end: undefined, expression: () => new Parser(cursor).expression(0, true) }), place), place };
  } catch (error) {
    if (error instanceof HclFault) throw new HclFault(error.message, place);
    throw error;
  }
}

/** A text that is one expression and nothing else is that expression. */
function simplified(parts: readonly (string | Expression)[], place: Expression['place']): Expression {
  const [first, ...rest] = parts;
  if (first === undefined) return { kind: 'literal', value: '', place };
  if (rest.length === 0) return typeof first === 'string' ? { kind: 'literal', value: first, place } : first;
  return { kind: 'template', parts, place };
}

class Parser {
  readonly #at: Cursor;
  readonly #json: boolean;

  constructor(cursor: Cursor, json = false) {
    this.#at = cursor;
    this.#json = json;
  }

  /** One value, and nothing after it. */
  only(): Expression {
    this.#at.skip(true);
    const value = this.expression(0, true);
    this.#at.skip(true);
    if (!this.#at.done) throw this.#at.fault(`has ${this.#at.next} after its end`);
    return value;
  }

  body(depth: number, inBlock: boolean): Body {
    if (depth > MAX_DEPTH) throw this.#at.fault(`is nested deeper than ${MAX_DEPTH} levels`);
    const found = new Map<string, Argument>();
    const blocks: Block[] = [];
    for (;;) {
      this.#at.skip(true);
      if (inBlock ? this.#at.at('}') : this.#at.done) return { arguments: found, blocks };
      const place = this.#at.place();
      const name = this.#at.identifier();
      if (name === undefined) throw this.#at.fault(`has ${this.#at.next} where a name is expected${inBlock ? ', or the } of its block' : ''}`);
      this.#at.skip(false);
      if (this.#at.at('=') && !this.#at.at('==')) {
        this.#at.take('=');
        this.#at.skip(false);
        if (found.has(name)) throw new HclFault(`says ${name} twice`, place);
        found.set(name, { name, place, value: this.expression(depth, false) });
        this.#lineEnd(inBlock, `the value of ${name}`);
      } else {
        blocks.push(this.#block(name, place, depth));
        this.#lineEnd(inBlock, `the block ${name}`);
      }
    }
  }

  #lineEnd(inBlock: boolean, what: string): void {
    this.#at.skip(false);
    if (this.#at.take('\n') || this.#at.done || (inBlock && this.#at.at('}'))) return;
    throw this.#at.fault(`has ${this.#at.next} after ${what}, where its line should end`);
  }

  #block(type: string, place: Block['place'], depth: number): Block {
    const labels: string[] = [];
    for (;;) {
      this.#at.skip(false);
      if (this.#at.take('{')) break;
      const label = this.#at.at('"') ? this.#plainText() : this.#at.identifier();
      if (label === undefined) throw this.#at.fault(`has ${this.#at.next} after ${type}, where = or { is expected`);
      labels.push(label);
    }
    const body = this.body(depth + 1, true);
    this.#at.take('}');
    return { type, labels, place, body };
  }

  #plainText(): string {
    const start = this.#at.offset;
    const text = this.#quoted(0);
    if (text.kind === 'literal' && typeof text.value === 'string') return text.value;
    throw this.#at.fault('has an expression in a label or name', start);
  }

  /** `lines`: a line end does not end it, since it stands in brackets. */
  expression(depth: number, lines: boolean): Expression {
    const start = this.#at.offset;
    const place = this.#at.place();
    const value = this.#postfix(this.#primary(depth), start, depth);
    const end = this.#at.offset;
    this.#at.skip(lines);
    if (!this.#json && /^(\?|==|!=|<|>|&&|\|\||\+|-|\*|\/|%|\.\.\.)/.test(this.#at.text.slice(this.#at.offset, this.#at.offset + 3)))
      return this.#rest(start, depth);
    this.#at.offset = end;
    return { ...value, place };
  }

  /** What is computed is not understood, but its end has to be found: after operators and values in turn. */
  #rest(start: number, depth: number): Expression {
    for (;;) {
      this.#at.skip(true);
      if (this.#at.match(/(==|!=|<=|>=|&&|\|\||\.\.\.|[?:<>+\-*/%])/y) === undefined) break;
      this.#at.skip(true);
      if (this.#at.at(')')) break; // after `...`
      const from = this.#at.offset;
      this.#postfix(this.#primary(depth + 1), from, depth + 1);
      const end = this.#at.offset;
      this.#at.skip(true);
      if (!/^(\?|:|==|!=|<|>|&&|\|\||\+|-|\*|\/|%)/.test(this.#at.text.slice(this.#at.offset, this.#at.offset + 2))) {
        this.#at.offset = end;
        break;
      }
    }
    return { kind: 'other', text: this.#at.text.slice(start, this.#at.offset).trim(), place: this.#at.place(start) };
  }

  #primary(depth: number): Expression {
    const at = this.#at;
    if (depth > MAX_DEPTH) throw at.fault(`is nested deeper than ${MAX_DEPTH} levels`);
    const place = at.place();
    if (at.at('"')) return this.#quoted(depth);
    if (at.at('[')) return this.#list(depth);
    if (at.at('{')) return this.#object(depth);
    if (at.at('-') && this.#json) {
      at.take('-');
      const value = at.number();
      if (value !== undefined) return { kind: 'literal', value: -value, place };
    }
    const number = at.number();
    if (number !== undefined) return { kind: 'literal', value: number, place };
    if (!this.#json) {
      if (at.at('<<'))
        return simplified(
          parseHeredoc(at, (inner) => new Parser(inner).expression(depth + 1, true)),
          place,
        );
      if (at.at('(') || at.at('!') || at.at('-')) return this.#computed(depth);
    }
    const start = at.offset;
    const name = at.identifier();
    if (name === undefined) throw at.fault(`has ${at.next} where a value is expected`);
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true', place };
    if (name === 'null') return { kind: 'literal', value: null, place };
    if (this.#json) throw at.fault(`has "${name}" where a value is expected`, start);
    if (!at.at('(')) return { kind: 'reference', path: [name], place };
    at.take('(');
    return { kind: 'call', name, arguments: this.#items(')', depth), place };
  }

  /** `(…)`, `!x`, `-x`. */
  #computed(depth: number): Expression {
    const at = this.#at;
    const start = at.offset;
    if (at.take('(')) {
      at.skip(true);
      const inner = this.expression(depth + 1, true);
      at.skip(true);
      if (!at.take(')')) throw at.fault(`has ${at.next} where ) is expected`);
      return inner;
    }
    const sign = at.take('-') ? '-' : '!';
    at.take('!');
    at.skip(true);
    const from = at.offset;
    const value = this.#postfix(this.#primary(depth + 1), from, depth + 1);
    const place = at.place(start);
    if (sign === '-' && value.kind === 'literal' && typeof value.value === 'number') return { kind: 'literal', value: -value.value, place };
    return { kind: 'other', text: at.text.slice(start, at.offset), place };
  }

  /** `.name`, `[0]` and `["name"]` after a value. */
  #postfix(first: Expression, start: number, depth: number): Expression {
    const at = this.#at;
    let value = first;
    while (!this.#json) {
      if (at.at('.') && !at.at('...')) {
        at.take('.');
        const name = at.match(/\*|\d+/y) ?? at.identifier();
        if (name === undefined) throw at.fault(`has ${at.next} where a name is expected`);
        value = value.kind === 'reference' ? { ...value, path: [...value.path, name] } : this.#otherFrom(start);
      } else if (at.take('[')) {
        at.skip(true);
        const index = at.take('*') ? undefined : this.expression(depth + 1, true);
        at.skip(true);
        if (!at.take(']')) throw at.fault(`has ${at.next} where ] is expected`);
        value = value.kind === 'reference' && index?.kind === 'literal' ? { ...value, path: [...value.path, String(index.value)] } : this.#otherFrom(start);
      } else break;
    }
    return value;
  }

  #otherFrom(start: number): Expression {
    return { kind: 'other', text: this.#at.text.slice(start, this.#at.offset), place: this.#at.place(start) };
  }

  #list(depth: number): Expression {
    const at = this.#at;
    const [place, start] = [at.place(), at.offset];
    at.take('[');
    at.skip(true);
    if (!this.#json && /^for\s/.test(at.text.slice(at.offset, at.offset + 4))) return this.#loop(start, ']', depth);
    return { kind: 'list', items: this.#items(']', depth), place };
  }

  #items(end: ')' | ']', depth: number): Expression[] {
    const at = this.#at;
    const items: Expression[] = [];
    for (;;) {
      at.skip(true);
      if (at.take(end)) return items;
      items.push(this.expression(depth + 1, true));
      at.skip(true);
      if (at.take(',')) continue;
      if (at.take(end)) return items;
      throw at.fault(`has ${at.next} where , or ${end} is expected`);
    }
  }

  #object(depth: number): Expression {
    const at = this.#at;
    const [place, start] = [at.place(), at.offset];
    at.take('{');
    at.skip(true);
    if (!this.#json && /^for\s/.test(at.text.slice(at.offset, at.offset + 4))) return this.#loop(start, '}', depth);
    const entries: { name: string; place: Expression['place']; value: Expression }[] = [];
    for (;;) {
      at.skip(true);
      if (at.take('}')) return { kind: 'object', entries, place };
      const keyPlace = at.place();
      const name = at.at('"') ? this.#plainText() : this.#json ? undefined : (at.identifier() ?? at.match(/\d+/y));
      if (name === undefined) throw at.fault(`has ${at.next} where a name or } is expected`);
      at.skip(true);
      if (!at.take(':') && (this.#json || !at.take('='))) throw at.fault(`has ${at.next} where ${this.#json ? ':' : '='} is expected`);
      at.skip(true);
      entries.push({ name, place: keyPlace, value: this.expression(depth + 1, false) });
      at.skip(false);
      if (at.take(',') || (!this.#json && at.take('\n'))) continue;
      at.skip(true);
      if (!at.at('}') && !(this.#json && at.at(','))) throw at.fault(`has ${at.next} where , or } is expected`);
      at.take(',');
    }
  }

  /** `[for … : …]`: read to its end, and kept as text. */
  #loop(start: number, end: ']' | '}', depth: number): Expression {
    const at = this.#at;
    for (;;) {
      at.skip(true);
      if (at.take(end)) return this.#otherFrom(start);
      if (at.done) throw at.fault(`has a loop that does not end (${end})`, start);
      if (at.match(/[:=,?<>!&|+\-*/%.]+/y) === undefined) this.#postfix(this.#primary(depth + 1), at.offset, depth + 1);
    }
  }

  #quoted(depth: number): Expression {
    const place = this.#at.place();
    return simplified(
      parseQuoted(this.#at, this.#json, () => this.expression(depth + 1, true)),
      place,
    );
  }
}
