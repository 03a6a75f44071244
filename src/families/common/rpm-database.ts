import { rootFile } from '../changes.ts';
import type { ManagerBootstrap } from '../family.ts';
import { QUIET } from './rpm-quiet.ts';

/**
 * Where the rpm of the new root will look for its database: the rpm that fills it keeps its own elsewhere, and is told by a file of macros. An empty
 * database is made, into which keys can go before packages.
 */
export function rpmDatabase(root: string, path: string): ManagerBootstrap {
  return {
    files: [QUIET, rootFile('/etc/rpm/macros.ingot', `%_dbpath ${path}\n`)],
    commands: [{ label: 'package database', argv: ['rpmdb', '--root', root, '--initdb'] }],
  };
}
