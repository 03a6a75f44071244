import type { PackageCategory } from './packages.ts';

declare const INGOT_PACKAGES: readonly PackageCategory[] | undefined;

/** The packages as they were compiled into the bundle: a module of its own, so that they are parsed only where they are asked for. */
export const compiledPackages = typeof INGOT_PACKAGES === 'undefined' ? undefined : INGOT_PACKAGES;
