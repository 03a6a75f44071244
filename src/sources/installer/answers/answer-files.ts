import { IngotError } from '../../../base/errors.ts';
import type { InstallFacts, InstallRelease } from './facts.ts';

/*
 * What one kind of answer file has to know: the words of an installer. Each is a file of this folder, and a line of `KINDS` in answers.ts.
 */

/** The installers that ask nothing where a file answers. The catalog calls them the same. */
export const ANSWER_KINDS = ['autoinstall', 'kickstart', 'preseed', 'autoyast', 'agama', 'archinstall', 'setup-alpine'] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** A file as it is served: by its name below the base address, or in the root of the labelled disk. */
export interface AnswerFile {
  readonly name: string;
  readonly text: string;
}

/** A file, or a link, of an overlay that is laid on the installer's own root. */
export type OverlayEntry =
  | { readonly path: string; readonly mode: number; readonly text: string }
  /** A symbolic link. */
  | { readonly path: string; readonly target: string };

/** All that an unattended installation is served. */
export interface AnswerFiles {
  readonly files: readonly AnswerFile[];
  /** Name of the file, or overlay, that is asked for first: when it was fetched, the installer has begun. */
  readonly fetchedFirst: string;
  /** To be packed as tar.gz beside the files, under this name; `packedAnswers` does. */
  readonly overlay?: { readonly name: string; readonly entries: readonly OverlayEntry[] };
  readonly delivery: AnswerDelivery;
}

/** The ways in which an installer finds its answers; there is at least one. */
export interface AnswerDelivery {
  /** Served over HTTP: the kernel's arguments, given the address of the folder with the files, with or without a slash at its end. */
  readonly http?: (baseUrl: string) => readonly string[];
  /** On a disk (ISO 9660 or FAT) with this label, the files in its root: the kernel's arguments. */
  readonly disk?: { readonly label: string; readonly kernelArguments: readonly string[] };
}

/** Something wrong in an answer file; line and column count from 1. */
export interface AnswerProblem {
  /** `question`: the installer would ask; `syntax`: it could not read it; `unknown`: it does not know the word; `value`: it knows it, but not so. */
  readonly class: 'syntax' | 'unknown' | 'value' | 'question';
  readonly message: string;
  readonly hint?: string;
  readonly line: number;
  readonly column: number;
}

/** The text of one of the files; throws `answers-unreadable` where it is missing. */
export function textOf(files: readonly AnswerFile[], name: string): string {
  const file = files.find((one) => one.name === name);
  if (file === undefined) throw unreadable(`there is no ${name}`);
  return file.text;
}

/** `answers-unreadable`: files that are not as ingot writes them. */
export function unreadable(why: string, cause?: unknown): IngotError {
  return new IngotError('usage', 'answers-unreadable', `These answer files were not written by ingot: ${why}`, cause === undefined ? {} : { cause });
}

/** `answers-unsupported`: what an installer has no word for. */
export function unsupported(kind: AnswerKind, what: string, hint?: string): IngotError {
  return new IngotError('usage', 'answers-unsupported', `An installation by ${kind} cannot have ${what}`, hint === undefined ? {} : { hint });
}

/** The address of a served file. */
export function servedAt(baseUrl: string, name: string): string {
  return `${baseUrl.replace(/\/+$/, '')}/${name}`;
}

/** One kind of answer file. */
export interface AnswerFormat {
  /** The facts in the words of the installer. Throws `answers-unsupported` for what it cannot say. Pure. */
  write(facts: InstallFacts): AnswerFiles;
  /** What files of ours say; the release is the medium's and stands in none. Throws where they are not as `write` makes them; who calls it checks the facts. Pure. */
  read(files: readonly AnswerFile[], release: InstallRelease): unknown;
  /** Faults of a file of the user, in its order. Pure. */
  check(text: string): AnswerProblem[];
}
