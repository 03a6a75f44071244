import { relative } from 'node:path';
import type { Position, Problem } from '../base/errors.ts';
import type { Place, PlacedProblem } from './source.ts';

/** A file as it is shown: relative to where the user works, if it is there or below, else whole. */
export function shownFile(file: string, folder: string | undefined): string {
  if (folder === undefined) return file;
  const short = relative(folder, file);
  return short === '' || short.startsWith('..') ? file : short;
}

/** Line and column of a place. */
export function positionOf({ source, offset }: Place, folder: string | undefined): Position {
  const { line, col } = source.lines.linePos(Math.min(offset, source.text.length));
  return { file: shownFile(source.file, folder), line: Math.max(1, line), column: Math.max(1, col) };
}

/** The problems in the order in which they are written in their files, each once, with the lines that they are about. */
export function placedProblems(problems: readonly PlacedProblem[], folder: string | undefined): Problem[] {
  const files = [...new Set(problems.map(({ place }) => place.source.file))];
  const ordered = problems.toSorted((a, b) => files.indexOf(a.place.source.file) - files.indexOf(b.place.source.file) || a.place.offset - b.place.offset);
  const seen = new Set<string>();
  return ordered.flatMap(({ place, confidential, ...rest }) => {
    const position = positionOf(place, folder);
    const key = JSON.stringify([position, rest.path, rest.message]);
    if (seen.has(key)) return [];
    seen.add(key);
    const source = confidential === true ? undefined : lineOf(place, position.line);
    return [{ ...rest, position, ...(source === undefined ? {} : { source }) }];
  });
}

function lineOf({ source }: Place, line: number): string | undefined {
  const { lineStarts } = source.lines;
  const start = lineStarts[line - 1];
  return start === undefined ? undefined : source.text.slice(start, lineStarts[line] ?? source.text.length).replace(/\r?\n$/, '');
}
