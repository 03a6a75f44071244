import { sign, verify } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from '../base/hash.ts';
import type { Digest } from '../base/types.ts';
import { hexOf } from '../base/types.ts';
import { payloadOf } from '../store/statements.ts';
import type { Envelope } from '../store/model.ts';
import type { PublicKey, SigningKey } from './keys.ts';

/** Type of the payload of every envelope that ingot writes (in-toto attestation framework). */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** An in-toto statement: what is said (the predicate), and about which bytes. */
export const inTotoSchema = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.object({ name: z.string(), digest: z.record(z.string(), z.string()) })).min(1),
  predicateType: z.string(),
  predicate: z.unknown(),
});
export type InTotoStatement = z.output<typeof inTotoSchema>;

/** A statement about bytes that a digest names. */
export function inTotoStatement(subject: { readonly name: string; readonly digest: Digest }, predicateType: string, predicate: unknown): InTotoStatement {
  return { _type: STATEMENT_TYPE, subject: [{ name: subject.name, digest: { sha256: hexOf(subject.digest) } }], predicateType, predicate };
}

/** The bytes that are signed (DSSE, pre-authentication encoding). */
export function preAuthentication(type: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}

/** Signs a statement. The same statement and key give the same envelope. */
export function signStatement(statement: InTotoStatement, key: SigningKey): Envelope {
  const payload = Buffer.from(canonicalJson(statement));
  const signature = sign(null, preAuthentication(PAYLOAD_TYPE, payload), key.private);
  return { payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures: [{ keyid: key.public.id, sig: signature.toString('base64') }] };
}

/** Who of the trusted signed the envelope; undefined for nobody. What an envelope says of its keys is not believed: each signature is checked. */
export function signerOf(envelope: Envelope, trusted: readonly PublicKey[]): PublicKey | undefined {
  if (envelope.payloadType !== PAYLOAD_TYPE) return undefined;
  const bytes = preAuthentication(envelope.payloadType, Buffer.from(envelope.payload, 'base64'));
  return trusted.find(({ key }) => envelope.signatures.some(({ sig }) => isSigned(bytes, key, Buffer.from(sig, 'base64'))));
}

function isSigned(bytes: Uint8Array, key: PublicKey['key'], signature: Uint8Array): boolean {
  return signature.length === 64 && verify(null, bytes, key, signature);
}

/** The statement in an envelope; undefined where it holds none. */
export function statementIn(envelope: Envelope): InTotoStatement | undefined {
  try {
    return inTotoSchema.parse(JSON.parse(payloadOf(envelope)));
  } catch {
    return undefined;
  }
}

/** The statement in an envelope, where somebody who is trusted signed it and it is about these bytes. */
export function provenStatement(
  envelope: Envelope,
  subject: Digest,
  trusted: readonly PublicKey[],
): { readonly statement: InTotoStatement; readonly signer: PublicKey } | undefined {
  const signer = signerOf(envelope, trusted);
  const statement = signer === undefined ? undefined : statementIn(envelope);
  if (signer === undefined || statement === undefined) return undefined;
  return statement.subject.some(({ digest }) => digest['sha256'] === hexOf(subject)) ? { statement, signer } : undefined;
}
