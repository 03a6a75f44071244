import { IngotError } from '../../base/errors.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { invalid } from './words.ts';

/** The error for security updates where the package manager does not tell them from others. */
export function noSecurityUpdates(manager: string): IngotError {
  return new IngotError('usage', 'update-unsupported', `${manager} does not tell security updates from others`, {
    hint: '`update: all` brings every package up to date.',
  });
}

/** Refuses updates that a machine installs by itself, for a family that has no program for them. Throws `system-invalid`. */
export function refuseAutomaticUpdates({ 'automatic-updates': wanted }: ResolvedSystem, distribution: string): void {
  if (wanted === undefined || wanted === 'none') return;
  throw invalid(`${distribution} has nothing that installs updates by itself`, 'Leave automatic-updates away, and build the image anew instead.');
}
