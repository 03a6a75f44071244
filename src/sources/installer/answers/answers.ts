import { YAMLParseError } from 'yaml';
import * as z from 'zod';
import { agama } from './agama.ts';
import { unreadable } from './answer-files.ts';
import { archinstall } from './archinstall.ts';
import { autoinstall } from './autoinstall.ts';
import { autoyast } from './autoyast.ts';
import { kickstart } from './kickstart.ts';
import { preseed } from './preseed.ts';
import { setupAlpine } from './setup-alpine.ts';
import { XmlError } from './xml.ts';
import type { AnswerFile, AnswerFiles, AnswerFormat, AnswerKind, AnswerProblem } from './answer-files.ts';
import { installFactsSchema, type InstallFacts, type InstallRelease } from './facts.ts';

export type { AnswerDelivery, AnswerFile, AnswerFiles, AnswerKind, AnswerProblem, OverlayEntry } from './answer-files.ts';
export { ANSWER_KINDS } from './answer-files.ts';
export { packedAnswers } from './pack.ts';
export { installFactsSchema, installSecrets, type InstallFacts } from './facts.ts';

/*
 * Answer files: what an unattended installation is told, in the words of each installer, and read back. Whoever runs an installation, and whoever
 * writes a Packer project, uses this alone.
 */

const KINDS: Readonly<Record<AnswerKind, AnswerFormat>> = { autoinstall, kickstart, preseed, autoyast, agama, archinstall, 'setup-alpine': setupAlpine };

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
  return KINDS[kind].write(installFactsSchema.parse(facts));
}

/** The facts that files of {@link writeAnswers} say; throws `answers-unreadable` for others. The release is the medium's. Pure. */
export function readAnswers(kind: AnswerKind, files: readonly AnswerFile[], release: InstallRelease): InstallFacts {
  try {
    return installFactsSchema.parse(KINDS[kind].read(files, release));
  } catch (error) {
    if (error instanceof z.ZodError) throw unreadable(z.prettifyError(error), error);
    if (error instanceof SyntaxError || error instanceof XmlError || error instanceof YAMLParseError) throw unreadable(error.message, error);
    throw error;
  }
}

/** Faults of a user's own answer file, by line: what its installer could not read, does not know, or would ask. Pure. */
export function checkAnswers(kind: AnswerKind, text: string): AnswerProblem[] {
  return KINDS[kind].check(text);
}
