import { IngotError } from '../../base/errors.ts';
import type { InstalledPackage } from '../../store/model.ts';

/** Fields that matter for resolving on top of a package; those by which apt tells two builds of one version apart (debListParser::VersionHash) are among them. */
const STATUS_FIELDS =
  /^(Package|Installed-Size|Architecture|Version|Multi-Arch|Essential|Important|Protected|Source|Depends|Pre-Depends|Provides|Conflicts|Breaks|Replaces): /;

/**
 * Stanzas of repository metadata as the text of a dpkg status file, as if those packages were installed. Throws `package-gone` where one of them is
 * not among the stanzas in its version.
 */
export function installedStatus(metadata: string, packages: readonly InstalledPackage[]): string {
  const wanted = new Map(packages.map((item) => [`${item.name} ${item.version}`, item]));
  const stanzas: string[] = [];
  for (const text of metadata.split('\n\n')) {
    const lines = text.split('\n').filter((line) => STATUS_FIELDS.test(line));
    // The same version can be in two archives.
    if (wanted.delete(`${field(lines, 'Package')} ${field(lines, 'Version')}`)) stanzas.push([...lines, 'Status: install ok installed', ''].join('\n'));
  }
  const gone = [...wanted.values()];
  if (gone.length > 0) {
    throw new IngotError('upstream', 'package-gone', `The repositories no longer have ${gone.map((item) => `${item.name} ${item.version}`).join(', ')}`, {
      hint: 'The metadata changed while it was read: run the same command again.',
    });
  }
  return stanzas.join('\n');
}

function field(lines: readonly string[], name: string): string {
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
}

/** The text of a status file without some packages. */
export function withoutPackages(status: string, names: readonly string[]): string {
  const gone = new Set(names);
  return status
    .split('\n\n')
    .filter((stanza) => !gone.has(field(stanza.split('\n'), 'Package')))
    .join('\n\n');
}
