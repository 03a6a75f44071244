import { relative } from 'node:path';
import type { Context } from '../operations/operation.ts';
import type { Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { ownPublicKey, parsePublicKey, parsePublicKeys, type PublicKey } from './keys.ts';
import { trustOf } from './sign-image.ts';

/** The keys whose signatures count: those of the settings, and this home's own. Throws `key-invalid`. */
export async function trustedKeys(context: Pick<Context, 'host' | 'home' | 'settings'>): Promise<PublicKey[]> {
  const own = await ownPublicKey(context);
  return [...parsePublicKeys(context.settings['trusted-keys']), ...(own === undefined ? [] : [own])];
}

export interface CheckedSignatures {
  readonly signatures: { image: string; digest: string; keys: string[]; predicates: string[] }[];
  readonly problems: { kind: string; file: string; message: string; images: string[] }[];
}

/** Who signed the images (all of the store where none is named): trusted keys, or the one key that is demanded. Throws `key-invalid` and what `resolve` throws. */
export async function checkSignatures(context: Context, references: readonly string[] | undefined, key: string | undefined): Promise<CheckedSignatures> {
  const store = openStore(context.host, context.home);
  const trusted = key === undefined ? await trustedKeys(context) : [parsePublicKey(key)];
  const named = references ?? (await store.list({ untagged: true })).map(({ digest }) => digest);
  const images = new Map<string, { image: Image; reference: string }>();
  for (const reference of named) {
    const image = await store.resolve(reference);
    images.set(image.digest, { image, reference: references === undefined ? (image.references[0] ?? image.digest) : reference });
  }
  const checked: CheckedSignatures = { signatures: [], problems: [] };
  for (const { image, reference } of images.values()) {
    const { signers, predicates } = trustOf(image.digest, await store.statements(image), trusted);
    checked.signatures.push({ image: reference, digest: image.digest, keys: signers.map(({ text }) => text), predicates: [...predicates] });
    if (signers.length > 0) continue;
    checked.problems.push({
      kind: 'not-signed',
      file: relative(context.home.store, context.home.blob(image.digest)),
      message: key === undefined ? 'No key that is trusted has signed this image' : `The key ${key} has not signed this image`,
      images: [reference],
    });
  }
  return checked;
}
