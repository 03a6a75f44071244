import { IngotError } from '../../base/errors.ts';
import type { PackageRepository } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';

export const KEYS = '/etc/apk/keys';

/**
 * Repositories of apk (apk-repositories(5)): lines of a file of their own, and their RSA keys (apk-keys(5)). A signature names the file that holds its
 * key, so a key lies under that very name. Throws `repository-invalid`.
 */
export function repositoryChanges(repositories: readonly PackageRepository[]): Changes {
  return joined(
    repositories.map((repository) => ({
      ...NOTHING,
      files: [
        rootFile(`${KEYS}/${keyName(repository)}`, `${repository.key.trim()}\n`),
        rootFile(`/etc/apk/repositories.d/${repository.name}.list`, addresses(repository)),
      ],
    })),
  );
}

const fault = (name: string, what: string, hint?: string): IngotError =>
  new IngotError('usage', 'repository-invalid', `The package repository ${name} ${what}`, hint === undefined ? {} : { hint });

/** Each suite and component is a repository of its own: <uri>/v3.20/main; without suites it is at the address itself. Throws `repository-invalid`. */
export function addresses({ name, uri, suites, components }: PackageRepository): string {
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) throw fault(name, 'has a name that its file cannot have');
  const base = uri.replace(/\/$/, '');
  const below = suites.flatMap((suite) => (suite.endsWith('/') ? [base] : components.map((component) => `${base}/${suite}/${component}`)));
  const lines = below.length === 0 ? [base] : below;
  if (lines.some((line) => !/^[\x21-\x7e]+$/.test(line) || line.startsWith('@'))) throw fault(name, 'has an address, suite or component with a blank');
  return lines.map((line) => `${line}\n`).join('');
}

/** The name by which signatures call the key. */
function keyName({ name, key, keyName: given }: PackageRepository): string {
  if (!key.includes('-----BEGIN PUBLIC KEY-----')) {
    throw fault(name, 'has a key that is no RSA public key in PEM', 'apk wants a key such as those in /etc/apk/keys; OpenPGP keys are for other families.');
  }
  if (given === undefined)
    throw fault(name, 'does not say how its key is called', 'Write `key-name`, as the signature calls it: packager@example.org-1a2b3c.rsa.pub.');
  if (!/^[A-Za-z0-9@._+-]+\.rsa\.pub$/.test(given)) throw fault(name, `calls its key ${given}, and apk knows only names that end in .rsa.pub`);
  return given;
}
