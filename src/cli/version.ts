// Set by tools/bundle.ts; absent where the sources run.
declare const INGOT_COMMIT: string | undefined;

/** The version of package.json; a test checks that they agree. */
export const VERSION = '0.1.0';

/** `ingot 0.1.0`, with the commit that the bundle was made of where it is known. */
export function ingotVersion(): string {
  const commit = typeof INGOT_COMMIT === 'undefined' || INGOT_COMMIT === '' ? '' : ` (${INGOT_COMMIT})`;
  return `ingot ${VERSION}${commit}`;
}
