import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Digest } from '../base/types.ts';
import { digestSchema } from '../store/model.ts';
import type { BaseImage, Upstream } from '../plan/plan.ts';
import { wantedBy, type Section } from '../plan/sections.ts';
import type { ResolvedPackage } from '../sources/bootstrap/recipe.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import type { Prepared } from './prepare.ts';

/*
 * ingot.lock: what the words of templates meant when it was written, down to the bytes of every package. A frozen build takes them from there
 * and asks no repository.
 */

/** One package as one line, so that a change of a version is one line of a diff: name version architecture sha256 size archive path. */
const packageLine = z.string().transform((line, context): ResolvedPackage => {
  const match = /^(\S+) (\S+) (\S+) ([0-9a-f]{64}) (\d+) (essential )?"([^"]+)" (\S+)$/.exec(line);
  const [, name, version, arch, sha256, size, essential, archive, path] = match ?? [];
  if (name === undefined || version === undefined || arch === undefined || sha256 === undefined || archive === undefined || path === undefined) {
    context.addIssue({ code: 'custom', message: 'must be: name version architecture sha256 size "archive" path' });
    return z.NEVER;
  }
  return { name, version, arch, sha256, size: Number(size), path, archive, essential: essential !== undefined };
});

const lockSchema = z.strictObject({
  v: z.literal(1),
  images: z.record(
    z.string(),
    z.strictObject({
      from: z.strictObject({ reference: z.string(), digest: digestSchema }).optional(),
      /** The cloud image that the release meant: SHA-256 of the file. */
      image: z.strictObject({ url: z.string(), digest: digestSchema, vouched: z.boolean() }).optional(),
      release: z.string(),
      arch: z.string(),
      /** Suite -> SHA-256 of its signed index: the snapshot of the repositories. */
      indexes: z.record(z.string(), z.string()),
      expired: z.boolean().default(false),
      base: z.array(packageLine).default([]),
      /** One for each layer that installs packages, in order. */
      layers: z
        .array(z.strictObject({ name: z.string(), wanted: z.array(z.string()), packages: z.array(packageLine), removed: z.array(z.string()).default([]) }))
        .default([]),
    }),
  ),
});
export type Lock = z.output<typeof lockSchema>;
export type LockedImage = Lock['images'][string];

export const LOCK_HINT = 'Write it anew with `ingot lock`, or build without --frozen.';

/** Reads a lock file's content (parsed YAML). Throws `lock-invalid`. */
export function parseLock(content: unknown, file: string): Lock {
  const parsed = lockSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new IngotError('usage', 'lock-invalid', `${file} is not a lock file that this ingot can read`, {
    hint: LOCK_HINT,
    problems: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
  });
}

/** What a lock file says of the images that were prepared, as plain data for YAML. */
export function lockContent(prepared: readonly Prepared[]): object {
  const images = prepared.map(({ plan, sections, upstream, image }): [string, object] => [
    plan.template.name,
    {
      // How this host stored its copy of a cloud image is nothing that another host would do the same.
      ...(image === undefined ? {} : { image }),
      ...(plan.base === undefined || image !== undefined ? {} : { from: { reference: plan.base.reference, digest: plan.base.digest } }),
      release: plan.release.id,
      arch: plan.template.arch,
      indexes: upstream.indexes,
      ...(upstream.expiredMetadata ? { expired: true } : {}),
      ...(upstream.packages.length === 0 ? {} : { base: upstream.packages.map(line).toSorted() }),
      layers: upstream.resolutions.flatMap((resolution, i) => {
        const section = sections[i];
        if (resolution === undefined || section === undefined) return [];
        const { packages, removed } = resolution;
        return [{ name: section.name, wanted: [...wantedBy(section)], packages: packages.map(line).toSorted(), ...(removed.length === 0 ? {} : { removed }) }];
      }),
    },
  ]);
  return { v: 1, images: Object.fromEntries(images.toSorted(([a], [b]) => (a < b ? -1 : 1))) };
}

function line({ name, version, arch, sha256, size, essential, archive, path }: ResolvedPackage): string {
  return `${name} ${version} ${arch} ${sha256} ${size} ${essential ? 'essential ' : ''}"${archive}" ${path}`;
}

/** What a locked image's words mean. Throws `lock-stale`, with all that the template asks for and the lock does not have. */
export function upstreamOf(
  locked: LockedImage,
  template: ResolvedTemplate,
  sections: readonly Section[],
  base: BaseImage | undefined,
  image?: { readonly digest: Digest },
): Upstream {
  const left = [...locked.layers];
  const problems: { message: string; path: string }[] = [];
  const differs = (path: string, asked: string | undefined, has: string | undefined): void => {
    if (asked !== has) problems.push({ path, message: `the template asks for ${asked ?? 'none'}; locked is ${has ?? 'none'}` });
  };
  differs('arch', template.arch, locked.arch);
  if (image !== undefined) differs('from', image.digest, locked.image?.digest);
  else differs('from', base?.digest ?? (template.base.kind === 'release' ? template.base.release : undefined), locked.from?.digest ?? locked.release);
  const resolutions = sections.map((section) => {
    const wanted = wantedBy(section);
    if (wanted.length === 0) return undefined;
    const entry = left.shift();
    if (entry === undefined || entry.name !== section.name || entry.wanted.join(' ') !== wanted.join(' ')) {
      problems.push({
        path: section.name,
        message: `the template asks for ${wanted.join(', ')}; locked is ${entry === undefined ? 'nothing' : entry.wanted.join(', ')}`,
      });
      return undefined;
    }
    return { packages: entry.packages, removed: entry.removed };
  });
  for (const entry of left) problems.push({ path: entry.name, message: 'the template has no such layer any more' });
  if (problems.length > 0)
    throw new IngotError('conflict', 'lock-stale', `The lock file is not for ${template.name} as it is now`, { hint: LOCK_HINT, problems });
  return { packages: locked.base, resolutions, indexes: locked.indexes, expiredMetadata: locked.expired };
}
