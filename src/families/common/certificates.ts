import { X509Certificate } from 'node:crypto';
import { IngotError } from '../../base/errors.ts';
import { hashValue } from '../../base/hash.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Where a family keeps certificates of authorities of the machine's owner, and what makes them known. */
export interface TrustStore {
  readonly packages: readonly string[];
  readonly folder: string;
  /** With its dot. */
  readonly ending: string;
  readonly update: GuestCommand;
}

/** Authorities that are trusted, one in each file, since that is what update-ca-certificates wants; the name says which it is. Throws `certificate-invalid`. */
export function certificateChanges(texts: readonly string[], { packages, folder, ending, update }: TrustStore): Changes {
  const certificates = texts.flatMap((text, i) => {
    const found = text.match(CERTIFICATE) ?? [];
    if (found.length === 0 || found.some((each) => !isCertificate(each))) {
      throw new IngotError('usage', 'certificate-invalid', `Entry ${i + 1} of trusted-ca is no certificate in PEM`, {
        hint: 'It has to hold -----BEGIN CERTIFICATE----- and what belongs to it.',
      });
    }
    return found;
  });
  if (certificates.length === 0) return NOTHING;
  const files = new Map(certificates.map((each) => [`${folder}/ingot-${shortHash(each)}${ending}`, `${each}\n`]));
  return { ...NOTHING, packages, files: [...files].map(([path, content]) => rootFile(path, content)), commands: [update] };
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

function shortHash(text: string): string {
  return hashValue(text)
    .replace(/^sha256:/, '')
    .slice(0, 12);
}
