import { IngotError } from '../../../base/errors.ts';
import type { AnswerFile, AnswerFiles, AnswerFormat, AnswerKind, AnswerProblem } from './answer-files.ts';
import { installFactsSchema, type InstallFacts, type InstallRelease } from './facts.ts';

export type { AnswerDelivery, AnswerFile, AnswerFiles, AnswerKind, AnswerProblem, OverlayEntry } from './answer-files.ts';
export { ANSWER_KINDS } from './answer-files.ts';
export type { InstallFacts } from './facts.ts';

/*
 * Answer files: what an unattended installation is told, in the words of each installer, and read back. Whoever runs an installation, and whoever
 * writes a Packer project, uses this alone.
 */

const KINDS: Readonly<Partial<Record<AnswerKind, AnswerFormat>>> = {};

function formatOf(kind: AnswerKind): AnswerFormat {
  const format = KINDS[kind];
  if (format === undefined) throw new IngotError('internal', 'answers-unwritten', `No answer files of kind ${kind} are written yet`);
  return format;
}

/**
 * The kind of answer file that a release's installer reads: what its catalog entry says, since the same distribution changes it between versions.
 * Undefined where its installer always asks.
 */
export function answerKind({ distribution, version }: Pick<InstallRelease, 'distribution' | 'version'>): AnswerKind | undefined {
  const major = Number.parseInt(version, 10);
  switch (distribution) {
    case 'ubuntu':
      return 'autoinstall';
    case 'debian':
    case 'devuan':
    case 'kali':
      return 'preseed';
    case 'almalinux':
    case 'rocky':
    case 'rhel':
    case 'centos-stream':
    case 'oraclelinux':
    case 'fedora':
    case 'openeuler':
      return 'kickstart';
    case 'sles':
    case 'opensuse-leap':
      return major >= 16 ? 'agama' : 'autoyast';
    case 'opensuse-tumbleweed':
      return 'agama';
    case 'arch':
      return 'archinstall';
    case 'alpine':
      return 'setup-alpine';
    default:
      return undefined;
  }
}

/** The facts as the files that an installer reads, with the ways to hand them to it. Throws `answers-unsupported` for what this kind cannot say. Pure. */
export function writeAnswers(kind: AnswerKind, facts: InstallFacts): AnswerFiles {
  return formatOf(kind).write(installFactsSchema.parse(facts));
}

/** The facts that files of {@link writeAnswers} say; throws `answers-unreadable` for others. The release is the medium's. Pure. */
export function readAnswers(kind: AnswerKind, files: readonly AnswerFile[], release: InstallRelease): InstallFacts {
  return installFactsSchema.parse(formatOf(kind).read(files, release));
}

/** Faults of a user's own answer file, by line: what its installer could not read, does not know, or would ask. Pure. */
export function checkAnswers(kind: AnswerKind, text: string): AnswerProblem[] {
  return formatOf(kind).check(text);
}

/** Every file with its bytes, the overlay packed: what is served, laid on the labelled disk, or put into a folder `http/`. */
export function packedAnswers({ files }: Pick<AnswerFiles, 'files' | 'overlay'>): { readonly name: string; readonly content: Buffer }[] {
  return files.map(({ name, text }) => ({ name, content: Buffer.from(text, 'utf8') }));
}
