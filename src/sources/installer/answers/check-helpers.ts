import { isMap, isScalar, LineCounter, parseDocument, type Document, type Pair, type YAMLMap } from 'yaml';
import { nearest } from '../../../base/errors.ts';
import { jsonFault } from '../../../base/json-fault.ts';
import type { AnswerProblem } from './answer-files.ts';

/** A place in a file, from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where files begin: what is missing is missed there. */
export const TOP: Place = { line: 1, column: 1 };

/** A word that an installer does not know, with the ones it may be meant for. */
export function unknownWord(what: string, word: string, known: Iterable<string>, place: Place): AnswerProblem {
  const guesses = nearest(word, known);
  return {
    class: 'unknown',
    message: `${what} "${word}" is not known`,
    ...(guesses.length === 0 ? {} : { hint: `Did you mean ${guesses.join(' or ')}?` }),
    ...place,
  };
}

/** Something that the installer would ask. */
export function asks(message: string, hint: string, place: Place = TOP): AnswerProblem {
  return { class: 'question', message, hint, ...place };
}

/** Problems in the order of the file. */
export function inOrder(problems: readonly AnswerProblem[]): AnswerProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** A file of YAML or JSON with the places of its keys. */
export interface KeyedFile {
  readonly problems: AnswerProblem[];
  readonly root: YAMLMap | undefined;
  placeOf(node: unknown): Place;
}

/** Reads YAML; what it is not is a problem. */
export function readYaml(text: string): KeyedFile {
  const counter = new LineCounter();
  const document: Document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  // The faults after the first follow from it.
  const problems = document.errors.slice(0, 1).map(({ message, pos }): AnswerProblem => ({ class: 'syntax', message, ...at(pos[0]) }));
  const root = isMap(document.contents) ? document.contents : undefined;
  if (root === undefined && problems.length === 0) problems.push({ class: 'syntax', message: 'the file holds no keys', ...TOP });
  return {
    problems,
    root,
    placeOf: (node) => (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range) ? at(Number(node.range[0])) : TOP),
  };
}

/** Reads JSON; places are found by reading it as YAML, which it is a part of. */
export function readJson(text: string): KeyedFile {
  const fault = jsonFault(text);
  return fault === undefined ? readYaml(text) : { problems: [{ class: 'syntax', ...fault }], root: undefined, placeOf: () => TOP };
}

/** The pairs of a map with their keys as text. */
export function pairsOf(map: unknown): { readonly key: string; readonly pair: Pair }[] {
  return isMap(map) ? map.items.map((pair) => ({ key: isScalar(pair.key) ? String(pair.key.value) : '', pair })) : [];
}

/** Keys of a map that are not among those known. */
export function unknownKeys(file: KeyedFile, map: unknown, known: readonly string[]): AnswerProblem[] {
  return pairsOf(map)
    .filter(({ key }) => !known.includes(key))
    .map(({ key, pair }) => unknownWord('the key', key, known, file.placeOf(pair.key)));
}
