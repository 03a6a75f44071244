import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { noSecurityUpdates } from '../common/updates.ts';
import { APK, INDEXES } from './install.ts';

/** Every package in the newest version that the image's repositories have. Throws `update-unsupported`: apk's indexes say nothing of security. */
export function update(which: 'all' | 'security'): GuestCommand[] {
  if (which === 'security') throw noSecurityUpdates('apk');
  return [INDEXES, { label: 'update', argv: [...APK, 'upgrade'] }];
}
