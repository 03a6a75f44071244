import type { ImageDetails, InstalledPackage } from '../store/model.ts';

/** Type of package URLs by family (purl-spec). */
const TYPES: Readonly<Record<string, string>> = { debian: 'deb', rhel: 'rpm', suse: 'rpm', arch: 'alpm', alpine: 'apk' };

/** The distribution of a release: `debian` of `debian-12`. */
export function distributionOf(release: string): string {
  return release.replace(/-[^-]*$/, '');
}

/** A package's URL (purl-spec): `pkg:deb/debian/base-files@12.4?arch=amd64&distro=debian-12`. */
export function packageUrl({ name, version, arch }: InstalledPackage, { family, release }: Pick<ImageDetails, 'family' | 'release'>): string {
  const type = TYPES[family] ?? 'generic';
  // Of an rpm, the epoch is a qualifier.
  const epoch = type === 'rpm' ? /^(\d+):/.exec(version)?.[1] : undefined;
  const bare = epoch === undefined ? version : version.slice(epoch.length + 1);
  const qualifiers = [`arch=${encode(arch)}`, `distro=${encode(release)}`, ...(epoch === undefined || epoch === '0' ? [] : [`epoch=${epoch}`])];
  return `pkg:${type}/${encode(distributionOf(release))}/${encode(name)}@${encode(bare)}?${qualifiers.join('&')}`;
}

/** Percent-encoding as purl-spec has it: a colon stays. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
