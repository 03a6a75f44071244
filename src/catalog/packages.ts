import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { FAMILIES, type FamilyName } from './families.ts';
import type { Release } from './schema.ts';

/** A release's id, in which `*` stands for anything: `debian-12`, `*-10`, `fedora-*`. */
const releasePattern = z.string().regex(/^[a-z0-9.*-]+$/, "must be a release's name, in which * stands for anything");
const nativeName = z.string().regex(/^@?[A-Za-z0-9][A-Za-z0-9.+_-]*(\{\{ arch \}\})?$/, 'must be the name of a package');
const repositoryName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/);

const namedSchema = z.strictObject({
  name: nativeName,
  repository: repositoryName.optional().describe('Of the catalog, where it is not among those which the family has by itself'),
});
const otherNameSchema = z.union([nativeName.transform((name) => ({ name })), namedSchema]);

/** What a family calls a package; `name` is null where it lacks it. */
const nativeEntrySchema = z.strictObject({
  name: z.string().nullable(),
  repository: z.string().optional(),
  seen: z.string().optional(),
  without: z.array(z.string()).readonly().optional(),
  only: z.array(z.string()).readonly().optional(),
  releases: z
    .record(z.string(), z.strictObject({ name: z.string(), repository: z.string().optional() }))
    .readonly()
    .optional(),
  note: z.string().optional(),
});
export type NativeEntry = z.output<typeof nativeEntrySchema>;

/** In the files: its name, null where it lacks it, or more about it. */
const familySchema = z
  .union([
    nativeName.transform((name) => ({ name })),
    namedSchema.extend({
      seen: z.string().optional().describe('Where the name was seen; for Debian, tests/system/full/package-names.test.ts looks'),
      without: z.array(releasePattern).min(1).optional().describe('Releases that lack it'),
      only: z.array(z.string()).min(1).optional().describe('The only distributions of the family that have it'),
      releases: z.record(releasePattern, otherNameSchema).optional().describe('Releases that call it otherwise; wins over all else'),
      note: z.string().optional(),
    }),
    z.strictObject({ name: z.null(), note: z.string().optional().describe('What there is instead') }),
    z.null().transform(() => ({ name: null })),
  ])
  .transform((entry): NativeEntry => entry)
  .describe('Its name in a family');

/** A package under the name that a template writes for every family. */
export const packageSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.+-]*$/),
  description: z.string(),
  debian: familySchema,
  rhel: familySchema,
  suse: familySchema,
  arch: familySchema,
  alpine: familySchema,
  instead: z.array(z.string()).default([]).describe('Packages of the catalog with a like purpose, the nearest first'),
  upstream: repositoryName.optional().describe("The maker's own repository, which has newer versions"),
  note: z.string().optional(),
});

/** A file catalog/packages/<category>.yaml. */
export const packageCategorySchema = z.strictObject({
  category: z.string().regex(/^[a-z0-9-]+$/),
  summary: z.string(),
  packages: z.array(packageSchema).min(1),
});
export type PackageCategory = z.output<typeof packageCategorySchema>;
export type CatalogPackage = z.output<typeof packageSchema> & { readonly category: string };
/** Every package by its name. */
export type PackageCatalog = ReadonlyMap<string, CatalogPackage>;

/** A package as it is shown: what comes out of a file. */
export const packageOutput = z.strictObject({
  name: z.string(),
  category: z.string(),
  description: z.string(),
  debian: nativeEntrySchema,
  rhel: nativeEntrySchema,
  suse: nativeEntrySchema,
  arch: nativeEntrySchema,
  alpine: nativeEntrySchema,
  instead: z.array(z.string()),
  upstream: z.string().optional(),
  note: z.string().optional(),
});

/** What a family's package manager is asked for. */
export interface NativePackage {
  readonly name: string;
  /** A repository of the catalog that has it. */
  readonly repository?: string | undefined;
}
type NamedRelease = Pick<Release, 'id' | 'distribution'> & { readonly family: string };

let loaded: Promise<PackageCatalog> | undefined;

/** The packages of the catalog. They are read when they are first asked for: most commands need none of them. */
export function loadPackages(): Promise<PackageCatalog> {
  return (loaded ??= readPackages());
}

async function readPackages(): Promise<PackageCatalog> {
  const { compiledPackages } = await import('./compiled-packages.ts');
  if (compiledPackages !== undefined) return packageCatalog(compiledPackages);
  const { readPackageFolder } = await import('./folder.ts');
  return packageCatalog(await readPackageFolder());
}

/** Packages by their names; throws where one is there twice. */
export function packageCatalog(categories: readonly PackageCategory[]): PackageCatalog {
  const all = new Map<string, CatalogPackage>();
  for (const { category, packages } of categories) {
    for (const item of packages) {
      if (all.has(item.name)) throw new Error(`the package ${item.name} is in the catalog twice`);
      all.set(item.name, { ...item, category });
    }
  }
  return all;
}

/**
 * What a release calls a package. A name that the catalog knows becomes the family's; one that it does not know is the family's own. A version
 * (`nginx=1.26.3-3`) stays. Throws `package-unsupported` where the release lacks what the catalog knows, with the nearest that it has.
 */
export function nativePackage(packages: PackageCatalog, text: string, release: NamedRelease, arch: string): NativePackage {
  const [name = text, ...version] = text.split('=');
  const known = packages.get(name);
  if (known === undefined) return { name: text };
  const native = nativeOf(known, release, arch);
  if (native !== undefined) return { ...native, name: [native.name, ...version].join('=') };
  const near = alternatives(packages, known, release, arch);
  const note = noteOf(known, release.family);
  const hints = [...(near.length === 0 ? [] : [`Nearest there: ${near.join(', ')}.`]), ...(note === undefined ? [] : [`${note.replace(/\.$/, '')}.`])];
  throw new IngotError('usage', 'package-unsupported', `${release.id} has no package for ${name}`, {
    hint: hints.length === 0 ? `\`ingot catalog packages --family ${release.family} --category ${known.category}\` shows what there is.` : hints.join(' '),
  });
}

/** A package of the catalog by its name; throws `package-unlisted` with the nearest names. */
export function findPackage(packages: PackageCatalog, name: string): CatalogPackage {
  const found = packages.get(name);
  if (found !== undefined) return found;
  const meant = [...packages.values()].filter((item) => FAMILIES.some((family) => item[family].name === name)).map((item) => item.name);
  const near = meant.length > 0 ? meant : nearest(name, packages.keys());
  throw new IngotError('not-found', 'package-unlisted', `The catalog has no package "${name}"`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'A template may name it all the same: it is passed on to the family as it is.',
  });
}

/** A family's name of a package; where it differs between releases, with a star. */
export function nativeText({ name, releases }: Pick<NativeEntry, 'name' | 'releases'>): string {
  return `${name ?? '-'}${releases === undefined ? '' : ' *'}`;
}

/** What a release calls a package of the catalog; undefined where it lacks it. */
export function nativeOf(item: CatalogPackage, release: NamedRelease, arch: string): NativePackage | undefined {
  const family = packageFamily(release.family);
  const entry = family === undefined ? undefined : item[family];
  if (entry === undefined || entry.name === null) return undefined;
  const fill = ({ repository }: Pick<NativePackage, 'repository'>, name: string): NativePackage => ({
    name: name.replace('{{ arch }}', arch),
    ...(repository === undefined ? {} : { repository }),
  });
  const other = Object.entries(entry.releases ?? {}).find(([pattern]) => matches(pattern, release.id));
  if (other !== undefined) return fill(other[1], other[1].name);
  if (entry.without?.some((pattern) => matches(pattern, release.id))) return undefined;
  return entry.only === undefined || entry.only.includes(release.distribution) ? fill(entry, entry.name) : undefined;
}

/** Whether a pattern means a release: a `*` stands for anything. */
export function matches(pattern: string, id: string): boolean {
  const [start = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === id;
  const end = rest.at(-1) ?? '';
  return id.length >= start.length + end.length && id.startsWith(start) && id.endsWith(end);
}

/** A family of the catalog of packages by its name. */
export function packageFamily(name: string): FamilyName | undefined {
  return FAMILIES.find((family) => family === name);
}

function noteOf(item: CatalogPackage, family: string): string | undefined {
  const known = packageFamily(family);
  const entry = known === undefined ? undefined : item[known];
  return entry?.note ?? item.note;
}

/** Packages with a like purpose that the release has: those that the catalog names, else those of the category whose description or name is alike. */
function alternatives(packages: PackageCatalog, item: CatalogPackage, release: NamedRelease, arch: string): string[] {
  const there = (name: string): boolean => {
    const other = packages.get(name);
    return other !== undefined && nativeOf(other, release, arch) !== undefined;
  };
  const named = item.instead.filter(there);
  if (named.length > 0) return named;
  const words = wordsOf(item.description);
  const alike = [...packages.values()]
    .filter((other) => other.category === item.category && other.name !== item.name && there(other.name))
    .map((other) => ({ name: other.name, shared: [...wordsOf(other.description)].filter((word) => words.has(word)).length }))
    .filter(({ shared }) => shared > 0)
    .toSorted((a, b) => b.shared - a.shared)
    .map(({ name }) => name);
  return [...new Set([...alike, ...nearest(item.name, packages.keys()).filter((name) => name !== item.name && there(name))])].slice(0, 3);
}

const COMMON_WORDS = new Set(['and', 'for', 'the', 'with', 'from', 'tool', 'tools', 'cli', 'based', 'file', 'files', 'system']);

function wordsOf(text: string): Set<string> {
  return new Set((text.toLowerCase().match(/[a-z0-9]{3,}/g) ?? []).filter((word) => !COMMON_WORDS.has(word)));
}
