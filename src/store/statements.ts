import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { canonicalJson } from '../base/hash.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest } from '../base/types.ts';
import { withStatement } from './gates.ts';
import { isImage, readIndex, type IndexEntry } from './index-file.ts';
import { manifestSchema, readJsonBlob, type Manifest } from './manifest.ts';
import {
  ANNOTATIONS,
  envelopeSchema,
  gateStatementSchema,
  MEDIA_TYPES,
  packagesStatementSchema,
  type Envelope,
  type GateStatement,
  type Image,
  type PackagesStatement,
} from './model.ts';
import { changeStore, saveIndex, writeBlob } from './writing.ts';

/*
 * Statements about images: artifact manifests whose subject is the image (OCI referrers), with one JSON blob each. What a statement says of itself in
 * the index follows from its content and its own manifest, so that it can be made anew wherever the statement comes from.
 */

/** A statement about an image, by its kind. */
export type Statement =
  | { readonly kind: 'gate'; readonly content: GateStatement }
  | { readonly kind: 'packages'; readonly content: PackagesStatement }
  | { readonly kind: 'attestation'; readonly content: Envelope };
export type StatementKind = Statement['kind'];

/** A kind's media type, and what reads a content of it. */
const KINDS: Readonly<Record<StatementKind, { readonly mediaType: string; readonly parse: (value: unknown) => Statement }>> = {
  gate: { mediaType: MEDIA_TYPES.statement, parse: (value) => ({ kind: 'gate', content: gateStatementSchema.parse(value) }) },
  packages: { mediaType: MEDIA_TYPES.statement, parse: (value) => ({ kind: 'packages', content: packagesStatementSchema.parse(value) }) },
  attestation: { mediaType: MEDIA_TYPES.envelope, parse: (value) => ({ kind: 'attestation', content: envelopeSchema.parse(value) }) },
};

/** The kind that a manifest or an entry says; undefined for one that ingot does not know. */
export function kindOf(annotations: Readonly<Record<string, string>> | undefined): StatementKind | undefined {
  const told = annotations?.[ANNOTATIONS.statementKind];
  return told === 'gate' || told === 'packages' || told === 'attestation' ? told : undefined;
}

/** Checks the content of a statement, of the kind that its manifest says. Throws what zod throws. */
export function parseStatement(kind: StatementKind, value: unknown): Statement {
  return KINDS[kind].parse(value);
}

/** Whether a manifest has the form of a statement of this kind: one blob, and a subject. */
export function isStatement(manifest: Manifest, kind: StatementKind): manifest is Manifest & { readonly subject: NonNullable<Manifest['subject']> } {
  const { mediaType } = KINDS[kind];
  return manifest.subject !== undefined && manifest.artifactType === mediaType && manifest.layers.length === 1 && manifest.layers[0]?.mediaType === mediaType;
}

/** The payload of an envelope as text. */
export function payloadOf(envelope: Envelope): string {
  return Buffer.from(envelope.payload, 'base64').toString('utf8');
}

const predicateSchema = z.object({ predicateType: z.string() });

/** What the index and the manifest say of a statement besides its subject. */
function annotationsOf({ kind, content }: Statement, created: string): Record<string, string> {
  const common = { [ANNOTATIONS.statementKind]: kind, [ANNOTATIONS.created]: created };
  if (kind !== 'attestation') return common;
  const { predicateType } = predicateSchema.parse(JSON.parse(payloadOf(content)));
  return { ...common, [ANNOTATIONS.predicate]: predicateType, [ANNOTATIONS.key]: content.signatures[0]?.keyid ?? '' };
}

/** A statement's entry in the index, made from what it says. Throws what zod and JSON throw where an envelope holds no in-toto statement. */
export function statementEntry(
  manifest: { readonly digest: Digest; readonly size: number },
  subject: Digest,
  statement: Statement,
  told: Readonly<Record<string, string>> | undefined,
): IndexEntry {
  const time = statement.kind === 'gate' ? statement.content.finished : statement.kind === 'packages' ? statement.content.read : told?.[ANNOTATIONS.created];
  const created = time === undefined || Number.isNaN(Date.parse(time)) ? new Date(0).toISOString() : time;
  return {
    mediaType: MEDIA_TYPES.manifest,
    artifactType: KINDS[statement.kind].mediaType,
    digest: manifest.digest,
    size: manifest.size,
    annotations: {
      [ANNOTATIONS.subject]: subject,
      ...annotationsOf(statement, created),
      ...(statement.kind === 'gate' ? { [ANNOTATIONS.gate]: statement.content.result } : {}),
    },
  };
}

/**
 * Stores statements about an image, all in one step. Of signed ones, a newer one of the same key and predicate takes the place of the older. Throws
 * `image-unknown` where the image was removed meanwhile.
 */
export async function addStatements(host: Host, home: Home, image: Pick<Image, 'digest'>, statements: readonly Statement[]): Promise<void> {
  await changeStore(host, home, 'storing statements about an image', async () => {
    const before = await readIndex(host, home);
    const subject = before.find((entry) => isImage(entry) && entry.digest === image.digest);
    if (subject === undefined) {
      throw new IngotError('not-found', 'image-unknown', `The image ${image.digest} is no longer in the store`, {
        hint: 'It was removed meanwhile: build it again.',
      });
    }
    let entries: readonly IndexEntry[] = before;
    const empty = await writeBlob(host, home, '{}');
    for (const statement of statements) {
      const { mediaType } = KINDS[statement.kind];
      const content = await writeBlob(host, home, canonicalJson(statement.content));
      const { annotations } = statementEntry({ digest: subject.digest, size: 0 }, subject.digest, statement, {
        [ANNOTATIONS.created]: host.clock.now().toISOString(),
      });
      const { [ANNOTATIONS.subject]: _, [ANNOTATIONS.gate]: __, ...told } = annotations;
      const manifest = await writeBlob(
        host,
        home,
        canonicalJson({
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.manifest,
          artifactType: mediaType,
          config: { mediaType: MEDIA_TYPES.empty, ...empty },
          layers: [{ mediaType, ...content }],
          subject: { mediaType: MEDIA_TYPES.manifest, digest: subject.digest, size: subject.size },
          annotations: told,
        }),
      );
      const added = statementEntry(manifest, subject.digest, statement, told);
      entries = withStatement(
        entries.filter((entry) => !isReplaced(entry, added)),
        added,
        subject.digest,
      );
    }
    await saveIndex(host, home, entries);
  });
}

function isReplaced(old: IndexEntry, added: IndexEntry): boolean {
  const same = [ANNOTATIONS.subject, ANNOTATIONS.statementKind, ANNOTATIONS.predicate, ANNOTATIONS.key];
  return kindOf(added.annotations) !== 'gate' && same.every((name) => old.annotations[name] === added.annotations[name]);
}

/** A statement that the store holds, with the digest of its content. */
export type StoredStatement = Statement & { readonly entry: IndexEntry; readonly contentDigest: Digest };

/** Every statement about an image that can be read, the oldest first. What is damaged or of an unknown kind proves nothing and is left out. */
export async function readStatements(host: Pick<Host, 'files'>, home: Home, subject: Digest): Promise<StoredStatement[]> {
  const entries = (await readIndex(host, home)).filter((entry) => entry.annotations[ANNOTATIONS.subject] === subject);
  const read = await Promise.all(entries.map((entry) => readOne(host, home, entry)));
  const time = ({ entry }: StoredStatement): number => Date.parse(entry.annotations[ANNOTATIONS.created] ?? '') || 0;
  return read.flat().toSorted((a, b) => time(a) - time(b));
}

async function readOne(host: Pick<Host, 'files'>, home: Home, entry: IndexEntry): Promise<StoredStatement[]> {
  const kind = kindOf(entry.annotations);
  if (kind === undefined) return [];
  try {
    const manifest = await readJsonBlob(host, home, entry, manifestSchema);
    const content = manifest.layers[0];
    if (content === undefined || manifest.subject?.digest !== entry.annotations[ANNOTATIONS.subject]) return [];
    const statement = parseStatement(kind, await readJsonBlob(host, home, content, z.unknown()));
    return [{ ...statement, entry, contentDigest: content.digest }];
  } catch (error) {
    if (error instanceof z.ZodError || (error instanceof IngotError && error.code === 'image-damaged')) return [];
    throw error;
  }
}
