import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';

/** apk asks nothing, and shows no bars; what it downloads is not kept. */
export const APK = ['apk', '--no-interactive', '--no-progress'] as const;

/**
 * `apk add` goes on with the repositories that it can read, and says no more than a warning; `apk update` counts those that are gone, damaged or signed by
 * a key that is not in /etc/apk/keys, and fails.
 */
export const INDEXES: GuestCommand = { label: 'package indexes', argv: [...APK, 'update'] };

export function install(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [INDEXES, { label: 'install', argv: [...APK, 'add', ...packages] }];
}

/** What only they needed goes along. What something else needs stays, and apk says why. */
export function remove(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [{ label: 'remove', argv: [...APK, '--purge', 'del', ...packages] }];
}
