import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { shell } from '../common/shell.ts';
import { keyring } from './keyring.ts';

/** pacman that asks nothing, and shows no bars. */
export const PACMAN = ['pacman', '--noconfirm', '--noprogressbar'] as const;

/**
 * mkinitcpio's hook `autodetect` keeps the modules that the machine has on which it runs, which is no machine of the image's. A new kernel's hook of pacman
 * makes the initramfs.
 */
const ALL_MODULES = String.raw`
for file in /etc/mkinitcpio.conf /etc/mkinitcpio.conf.d/*.conf; do
  if [ -f "$file" ]; then sed -i '/^HOOKS=/s/\([( ]\)autodetect /\1/' "$file"; fi
done
`;

const before = (): GuestCommand[] => [shell('modules of the initramfs', ALL_MODULES), keyring()];

/** Everything is brought up to date along: Arch knows no packages of one day beside those of another. */
export function install(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [...before(), { label: 'install', argv: [...PACMAN, '-Syu', '--needed', ...packages] }];
}

/** With what only they needed, and their configuration. Refused where something else needs them. */
export function remove(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [{ label: 'remove', argv: [...PACMAN, '-Rns', ...packages] }];
}

/** Everything in its newest version. */
export function updateAll(): GuestCommand[] {
  return [...before(), { label: 'update', argv: [...PACMAN, '-Syu'] }];
}
