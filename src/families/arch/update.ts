import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { noSecurityUpdates } from '../common/updates.ts';
import { updateAll } from './install.ts';

/** Throws `update-unsupported` for security updates: Arch moves as a whole. */
export function update(which: 'all' | 'security'): GuestCommand[] {
  if (which === 'security') throw noSecurityUpdates('pacman');
  return updateAll();
}
