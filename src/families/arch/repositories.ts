import { IngotError } from '../../base/errors.ts';
import type { PackageRepository } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { KEYS } from './keyring.ts';

const FOLDER = '/etc/pacman.conf.d';

/** The list of repositories is one file, which gets a line for a folder of them: at its end, since what comes first wins. */
const INCLUDE = String.raw`
if ! grep -qxF 'Include = ${FOLDER}/*.conf' /etc/pacman.conf; then printf '\nInclude = ${FOLDER}/*.conf\n' >>/etc/pacman.conf; fi
`;

/**
 * Repositories of pacman (pacman.conf(5)): packages and database have to be signed by a key of the machine's keyring, to which theirs is added, signed
 * locally. A repository is called as its database is: `tools` for tools.db. Throws `repository-invalid`.
 */
export function repositoryChanges(repositories: readonly PackageRepository[]): Changes {
  if (repositories.length === 0) return NOTHING;
  return { ...NOTHING, files: repositories.flatMap((repository) => repositoryFiles(repository)), commands: [shell('repositories', INCLUDE)] };
}

/** The files of a repository, below a root. */
export function repositoryFiles(repository: PackageRepository, root = ''): RootFile[] {
  const fault = (what: string): IngotError => new IngotError('usage', 'repository-invalid', `The package repository ${repository.name} ${what}`);
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(repository.name) || repository.name === 'options') throw fault('has a name that no database can have');
  if (!repository.key.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) throw fault('has a key that is no armored OpenPGP public key');
  return [
    rootFile(`${root}${KEYS}/${repository.name}.asc`, `${repository.key.trim()}\n`),
    rootFile(`${root}${FOLDER}/${repository.name}.conf`, section(repository)),
  ];
}

/** A section of pacman.conf. Throws `repository-invalid`. */
export function section({ name, uri }: PackageRepository): string {
  if (!/^[\x21-\x7e]+$/.test(uri)) throw new IngotError('usage', 'repository-invalid', `The package repository ${name} has an address with a blank`);
  return `[${name}]\nSigLevel = Required TrustedOnly\nServer = ${uri.replace(/\/$/, '')}\n`;
}
