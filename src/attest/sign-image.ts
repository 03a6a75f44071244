import * as z from 'zod';
import { parseDigest, type Digest } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { digestSchema, type Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import type { Statement, StoredStatement } from '../store/statements.ts';
import { inTotoStatement, provenStatement, signStatement } from './envelope.ts';
import { packagesOfImage } from './installed.ts';
import { signingKey, type PublicKey, type SigningKey } from './keys.ts';
import { PROVENANCE_PREDICATE, provenanceOf, type KnownLayers } from './provenance.ts';
import { makeSbom, SBOM_FORMATS, SBOM_PREDICATES } from './sbom.ts';

/** What a signature says: that this is the image, and that these are the statements which its signer saw beside it. */
export const SIGNATURE_PREDICATE = 'https://ingot.dev/image-signature/v1';
const signatureSchema = z.object({ v: z.literal(1), statements: z.array(z.object({ kind: z.string(), digest: digestSchema })) });

/** The name that statements call an image by. */
export function nameOfImage(image: Image): string {
  const reference = image.references[0];
  return reference === undefined ? image.config['dev.ingot.image'].template : reference.slice(0, reference.lastIndexOf(':'));
}

/** What the cache knows of an image's layers. */
export async function knownLayers({ host, home }: Pick<Context, 'host' | 'home'>, image: Image): Promise<KnownLayers> {
  const { readLayer } = await import('../store/layers.ts');
  const records = await Promise.all(image.config['dev.ingot.image'].layers.map(({ key }) => readLayer(host, home, key)));
  return new Map(records.flatMap((record) => (record === undefined ? [] : [[record.key, record] as const])));
}

/**
 * Signs an image with the key of this home: bills of materials, provenance, and a signature that also names the gate's results, each a statement
 * beside the image. Signing again replaces what this key signed before. Returns the key and the predicates.
 */
export async function signImage(
  context: Context,
  reference: string,
): Promise<{ readonly image: Image; readonly key: PublicKey; readonly predicates: string[] }> {
  const store = openStore(context.host, context.home);
  const image = await store.resolve(reference);
  const packages = await packagesOfImage(context, image);
  const key = await signingKey(context);
  const name = nameOfImage(image);
  const said: readonly (readonly [string, unknown])[] = [
    ...SBOM_FORMATS.map((format) => [SBOM_PREDICATES[format], makeSbom(format, image, name, packages)] as const),
    [PROVENANCE_PREDICATE, provenanceOf(image, await knownLayers(context, image))],
    [SIGNATURE_PREDICATE, { v: 1, statements: seen(await store.statements(image)) }],
  ];
  await store.addStatements(
    image,
    said.map(([predicate, content]) => attestation(image, name, predicate, content, key)),
  );
  return { image, key: key.public, predicates: said.map(([predicate]) => predicate) };
}

/** What has no signature of its own: the image's signature names it. */
function seen(statements: readonly StoredStatement[]): { kind: string; digest: Digest }[] {
  return statements.filter(({ kind }) => kind !== 'attestation').map(({ kind, contentDigest }) => ({ kind, digest: contentDigest }));
}

function attestation(image: Image, name: string, predicate: string, content: unknown, key: SigningKey): Statement {
  return { kind: 'attestation', content: signStatement(inTotoStatement({ name, digest: image.digest }, predicate, content), key) };
}

/** What trusted keys say of an image. */
export interface ImageTrust {
  /** Who signed the image itself. */
  readonly signers: readonly PublicKey[];
  /** The predicates that trusted keys signed, the signature's among them. */
  readonly predicates: readonly string[];
  /** Contents of unsigned statements that a trusted signature names. */
  readonly named: ReadonlySet<Digest>;
}

/** Checks the signed statements about an image; pure. What nobody trusted signed counts for nothing. */
export function trustOf(digest: Digest, statements: readonly Statement[], trusted: readonly PublicKey[]): ImageTrust {
  const proven = statements.flatMap((statement) => {
    const found = statement.kind === 'attestation' ? provenStatement(statement.content, digest, trusted) : undefined;
    return found === undefined ? [] : [found];
  });
  const signatures = proven.filter(({ statement }) => statement.predicateType === SIGNATURE_PREDICATE);
  const named = signatures.flatMap(({ statement }) => {
    const said = signatureSchema.safeParse(statement.predicate);
    return said.success ? said.data.statements.map((one) => parseDigest(one.digest)) : [];
  });
  return {
    signers: [...new Map(signatures.map(({ signer }) => [signer.id, signer])).values()],
    predicates: [...new Set(proven.map(({ statement }) => statement.predicateType))].toSorted(),
    named: new Set(named),
  };
}
