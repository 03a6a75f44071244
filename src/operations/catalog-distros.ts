import * as z from 'zod';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { FAMILIES } from '../catalog/families.ts';
import { hasEnded, proofOf, PROOFS, releaseFacts, releaseFactsSchema } from '../catalog/release-facts.ts';
import type { Release } from '../catalog/schema.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

const entry = releaseFactsSchema.extend({
  /** What proves its cloud images, the weakest of its architectures; null where it has none. */
  proof: z.enum(PROOFS).nullable(),
  /** Addresses of its cloud images follow from a pattern, and were not seen. */
  inferred: z.boolean(),
  /** A login that its download or its packages need; null where there is none. */
  login: z.string().nullable(),
});

export default defineOperation({
  name: 'catalog distros',
  summary: 'List the releases of distributions that images can start from',
  description:
    'What an image starts from is made of packages, a cloud image, or installed from the medium of its distribution. Distributions in the folder of the setting `catalog` are laid over those that are shipped. `ingot catalog distro RELEASE` shows all that is known of one.',
  kind: 'query',
  input: z.strictObject({
    family: z.enum(FAMILIES).optional().describe('Only releases of this family'),
    search: z.string().min(1).optional().describe('Only releases whose names, version or codename contain this text').meta({ placeholder: 'TEXT' }),
    eol: z.boolean().default(false).describe('Only releases whose support has ended'),
  }),
  output: z.strictObject({
    releases: z.array(entry),
  }),
  examples: [
    { command: 'ingot catalog distros', does: 'every release, and until when it gets security updates' },
    { command: 'ingot catalog distros --family rhel', does: 'those of one family' },
    { command: 'ingot catalog distros --search noble', does: 'those that are called so' },
    { command: 'ingot catalog distros --eol', does: 'those whose support has ended' },
  ],
  async run({ family, search, eol }, context) {
    const now = context.host.clock.now();
    const all = releases(await loadCatalog(context)).filter(
      (release) =>
        (family === undefined || release.family === family) && (search === undefined || matches(release, search)) && (!eol || hasEnded(release, now)),
    );
    return { releases: all.map((release) => entryOf(release, now)) };
  },
  render({ releases: all }, options) {
    if (all.length === 0) return 'No release of the catalog is like that.';
    return renderTable(
      [
        { title: 'NAME' },
        { title: 'FAMILY' },
        { title: 'CODENAME', shrink: true },
        { title: 'ARCHITECTURES' },
        { title: 'FROM' },
        { title: 'PROVED BY' },
        { title: 'SUPPORTED UNTIL' },
      ],
      all.map(({ id, family, codename, architectures, sources, proof, inferred, login, eol, ended }) => [
        id,
        family,
        codename,
        architectures.join(', '),
        sources.length === 0 ? { text: 'installer that asks', style: 'dim' } : sources.join(', '),
        login !== null ? { text: 'file of yours', style: 'yellow' } : proof === null ? '' : inferred ? { text: `${proof}, not seen`, style: 'dim' } : proof,
        ended ? { text: `${eol ?? ''} (over)`, style: 'yellow' } : (eol ?? ''),
      ]),
      options,
    );
  },
});

function matches({ id, aliases, name, version, codename }: Release, search: string): boolean {
  const text = search.toLowerCase();
  return [id, ...aliases, name, version, codename].some((each) => each.toLowerCase().includes(text));
}

function entryOf(release: Release, now: Date): z.output<typeof entry> {
  const all = Object.values(release.images);
  const proofs = new Set(all.map(proofOf));
  return {
    ...releaseFacts(release, now),
    proof: PROOFS.findLast((proof) => proofs.has(proof)) ?? null,
    inferred: all.some(({ inferred }) => inferred),
    login: all.find(({ login }) => login !== undefined)?.login ?? null,
  };
}
