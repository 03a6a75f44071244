import { isUtf8 } from 'node:buffer';
import { IngotError, type Problem } from '../base/errors.ts';
import type { HostPath } from '../base/types.ts';
import { findRelease, releases } from '../catalog/catalog.ts';
import type { Release } from '../catalog/schema.ts';
import { ANSWER_KINDS, answerKind, checkAnswers, type AnswerKind, type AnswerProblem } from '../sources/installer/answers/answers.ts';
import { checkMedium, identifyMedium, releasesOf } from '../sources/installer/iso/identify.ts';
import { IsoImage } from '../sources/installer/iso/reader.ts';
import { hostFileAt } from './host-file.ts';
import { shownFile } from './placed.ts';
import type { Template } from './schema.ts';
import type { Path, Scope } from './scope.ts';
import type { InstallerBase, InstallMedium } from './template.ts';

type From = Exclude<NonNullable<Template['from']>, string>;
type FromMedium = Extract<From, { readonly iso: string } | { readonly kernel: string }>;
type Told = Pick<FromMedium, 'answers'>;

/** An answer file is text for a program. */
const MOST_ANSWERS = 2 ** 20;

/** Whether what a template starts from is the path of an ISO. */
export function isIsoPath(text: string): boolean {
  return /\.iso$/i.test(text);
}

/** How a release's installer is told what to do; undefined where it cannot be told. */
export function installerOf(release: Release): AnswerKind | undefined {
  const { installer } = release;
  return installer === undefined ? undefined : ANSWER_KINDS.find((kind) => kind === installer.method);
}

/** A medium of the user's, with the release that it is of. Throws `iso-invalid`, `iso-unknown`, `iso-differs`, `answers-invalid`. */
export async function installerFrom(
  scope: Scope,
  from: FromMedium,
  at: Path,
): Promise<{ readonly base: InstallerBase; readonly release: Release } | undefined> {
  const medium = 'iso' in from ? await isoAt(scope, from, at) : await netbootAt(scope, from, at);
  if (medium === undefined) return undefined;
  const release = await releaseOfMedium(scope, medium, from.release);
  const method = installerOf(release) ?? answerKind(release);
  if (method === undefined) {
    throw new IngotError('usage', 'source-unsupported', `The installer of ${release.id} cannot be run unattended`, {
      hint: 'Install it yourself, and start from its disk: `from: { file: … }`.',
    });
  }
  const told = await toldInstaller(scope, at, from, method);
  const words = from.arguments === undefined ? {} : { arguments: from.arguments };
  return { base: { kind: 'installer', release: release.id, method, medium, ...words, ...told }, release };
}

async function isoAt(scope: Scope, { iso }: Extract<FromMedium, { readonly iso: string }>, at: Path): Promise<InstallMedium | undefined> {
  const path = await hostFileAt(scope, at.length === 0 ? ['from'] : [...at, 'iso'], iso);
  return path === undefined ? undefined : { kind: 'iso', path };
}

async function netbootAt(scope: Scope, from: Extract<FromMedium, { readonly kernel: string }>, at: Path): Promise<InstallMedium | undefined> {
  const kernel = await hostFileAt(scope, [...at, 'kernel'], from.kernel);
  const initrd = await hostFileAt(scope, [...at, 'initrd'], from.initrd);
  return kernel === undefined || initrd === undefined ? undefined : { kind: 'netboot', kernel, initrd };
}

async function releaseOfMedium({ context, catalog }: Scope, medium: InstallMedium, said: string | undefined): Promise<Release> {
  const expected = said === undefined ? undefined : findRelease(catalog, said);
  if (medium.kind !== 'iso') return expected ?? findRelease(catalog, '');
  const iso = await IsoImage.open(context.host.files, medium.path);
  const identity = await identifyMedium(iso);
  if (expected !== undefined) {
    checkMedium(identity, expected, identity?.arch ?? '', medium.path);
    return expected;
  }
  const [found, other] = identity === undefined ? [] : releasesOf(identity, releases(catalog));
  if (found !== undefined && other === undefined) return found;
  const what =
    identity === undefined
      ? `does not say what it installs (its label is "${iso.label}")`
      : `says "${identity.said}", which fits ${other === undefined ? 'no release' : 'several releases'} of the catalog`;
  throw new IngotError('usage', 'iso-unknown', `${medium.path} ${what}`, { hint: 'Say it: `from: { iso: …, release: … }`.' });
}

/** An answer file of the template's own, checked. Throws `answers-invalid`. */
export async function toldInstaller(scope: Scope, at: Path, { answers }: Told, kind: AnswerKind): Promise<Pick<InstallerBase, 'answers'>> {
  const content = answers === undefined ? undefined : await scope.contentAt([...at, 'answers'], answers, MOST_ANSWERS);
  if (content === undefined) return {};
  const text = textOf(content.bytes);
  if (text === undefined) {
    scope.problem([...at, 'answers'], `${answers ?? ''} is not text in UTF-8`);
    return {};
  }
  checkOwnAnswers(scope, content.path, text, kind);
  return { answers: { path: content.path, text } };
}

/** Undefined where it is none. */
function textOf(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) && !bytes.includes(0) ? Buffer.from(bytes).toString('utf8') : undefined;
}

function isUnreadable({ class: what }: AnswerProblem): boolean {
  return what === 'syntax' || what === 'value';
}

/**
 * Throws `answers-invalid` with every line that the installer cannot read. What it only might ask, or a newer one may know, is a warning, shown in any case: the
 * installation itself tells.
 */
function checkOwnAnswers({ context }: Scope, path: HostPath, text: string, kind: AnswerKind): void {
  const shown = shownFile(path, context.folder);
  const lines = text.split('\n');
  const found = checkAnswers(kind, text);
  for (const { message, hint, line } of found.filter((problem) => !isUnreadable(problem)))
    context.events.message('warn', `${shown}:${line}: ${message}.${hint === undefined ? '' : ` ${hint}`}`);
  const problems = found.filter(isUnreadable).map(({ message, hint, line, column }): Problem => ({
    message,
    ...(hint === undefined ? {} : { hint }),
    position: { file: shown, line, column },
    ...(lines[line - 1] === undefined ? {} : { source: lines[line - 1] ?? '' }),
  }));
  if (problems.length > 0) {
    throw new IngotError('usage', 'answers-invalid', `${shown} is no answer file (${kind}) that an installer could read`, { problems });
  }
}
