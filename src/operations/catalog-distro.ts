import * as z from 'zod';
import { findRelease, keysWith, loadCatalog } from '../catalog/catalog.ts';
import { ARCHITECTURES, cloudImageSchema } from '../catalog/cloud-image-schema.ts';
import { lastSeenGood, lastSeenSchema } from '../catalog/last-seen.ts';
import { mediumSchema } from '../catalog/schema.ts';
import { provenRows } from '../catalog/proven.ts';
import { proofOf, PROOFS, releaseFacts, releaseFactsSchema } from '../catalog/release-facts.ts';
import { TRAPS } from '../catalog/traps.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { styled } from './table.ts';

const image = z.strictObject({
  arch: z.enum(ARCHITECTURES),
  proof: z.enum(PROOFS),
  image: cloudImageSchema,
  /** When `ingot catalog check` last found it good, and what it is then; null where it was not checked. */
  seenGood: lastSeenSchema.nullable(),
});

const medium = mediumSchema.extend({ arch: z.enum(ARCHITECTURES), proof: z.enum(PROOFS) });

const output = releaseFactsSchema.extend({
  defaultUser: z.string(),
  firmware: z.array(z.string()),
  /** The least level of an amd64 processor; null for the first. */
  cpu: z.string().nullable(),
  filesystem: z.string().nullable(),
  boot: z.string().nullable(),
  subscription: z.string().nullable(),
  images: z.array(image),
  installer: z.strictObject({ method: z.string(), media: z.array(medium) }).nullable(),
  keys: z.array(
    z.strictObject({
      fingerprint: z.string(),
      owner: z.string().nullable(),
      /** Whether the key is in the catalog; without it nothing that it signs can be verified. */
      there: z.boolean(),
      source: z.string(),
    }),
  ),
  traps: z.array(z.strictObject({ trap: z.string(), meaning: z.string() })),
  notes: z.array(z.string()),
  proven: z.array(
    z.strictObject({
      arch: z.string(),
      source: z.string(),
      standIn: z.string().nullable(),
      built: z.boolean(),
      booted: z.boolean(),
      by: z.string(),
      on: z.iso.date().nullable(),
    }),
  ),
});
type Shown = z.output<typeof output>;

export default defineOperation({
  name: 'catalog distro',
  summary: 'Show all that is known of a release: its images, what proves them, its user, its end and its traps',
  description: 'Traps are what is different in its cloud images and acted on by builds. What was proven, was built and booted by tests.',
  kind: 'query',
  input: z.strictObject({ release: z.string().min(1).describe('A release of the catalog').meta({ positional: true, complete: 'release' }) }),
  output,
  examples: [
    { command: 'ingot catalog distro ubuntu-24.04', does: 'addresses, checks, keys, default user, end of support, traps' },
    { command: 'ingot catalog distro rocky-9 --json', does: 'the same for a program' },
  ],
  async run(input, context) {
    const catalog = await loadCatalog(context);
    const release = findRelease(catalog, input.release);
    const { id, defaultUser, installer } = release;
    const seen = await lastSeenGood(context);
    const media = installer?.media ?? {};
    const used = new Set([...Object.values(release.images), ...Object.values(media)].flatMap((file) => file.signature?.fingerprints ?? []));
    return {
      ...releaseFacts(release, context.host.clock.now()),
      defaultUser,
      firmware: [...release.firmware],
      cpu: release.cpu ?? null,
      filesystem: release.filesystem ?? null,
      boot: release.boot ?? null,
      subscription: release.subscription ?? null,
      images: ARCHITECTURES.flatMap((arch) => {
        const found = release.images[arch];
        return found === undefined ? [] : [{ arch, proof: proofOf(found), image: found, seenGood: seen[`${id}/${arch}`] ?? null }];
      }),
      installer:
        installer === undefined
          ? null
          : {
              method: installer.method,
              media: ARCHITECTURES.flatMap((arch) => {
                const found = media[arch];
                return found === undefined ? [] : [{ ...found, arch, proof: proofOf(found) }];
              }),
            },
      keys: release.keys
        .filter(({ fingerprint }) => used.has(fingerprint))
        .map(({ fingerprint, owner, source }) => ({ fingerprint, owner: owner ?? null, there: keysWith(catalog, [fingerprint]).length > 0, source })),
      traps: release.traps.map((trap) => ({ trap, meaning: TRAPS[trap] })),
      notes: [...release.notes],
      proven: provenRows(catalog).flatMap(({ release: of, arch, source, standIn, built, booted, by, on }) =>
        of === id ? [{ arch, source, standIn: standIn ?? null, built, booted, by, on: on ?? null }] : [],
      ),
    };
  },
  render(release, options) {
    const blocks = [lines(headOf(release), options), ...release.images.map((each) => lines(imageLines(each), options))];
    if (release.installer !== null) {
      const { method, media } = release.installer;
      blocks.push(...media.map((each) => lines(mediumLines(each, method), options)));
    }
    if (release.keys.length > 0) blocks.push(lines([['Keys', ''], ...release.keys.map(keyLine)], options));
    if (release.traps.length > 0) blocks.push(lines([['Traps', ''], ...release.traps.map(({ trap, meaning }) => [`  ${trap}`, meaning] as const)], options));
    if (release.notes.length > 0) blocks.push(['Notes', ...release.notes.map((note) => `  ${note}`)].join('\n'));
    return blocks.join('\n\n');
  },
});

type Line = readonly [title: string, value: string];

function lines(all: readonly Line[], options: RenderOptions): string {
  const width = Math.max(14, ...all.filter(([, value]) => value !== '').map(([title]) => title.length + 2));
  return all.map(([title, value]) => (value === '' ? styled(title, 'bold', options) : `${styled(title.padEnd(width), 'dim', options)}${value}`)).join('\n');
}

function headOf(release: Shown): Line[] {
  const { eol, extended, ended } = release;
  const until = eol === null ? 'no end is set' : `${eol}${ended ? ' (over)' : ''}${extended === null ? '' : `, extended until ${extended}`}`;
  return [
    ['Release', [release.id, ...release.aliases].join(', ')],
    ['Distribution', `${release.name} ${release.version}${release.codename === '' ? '' : ` (${release.codename})`}, family ${release.family}`],
    ['Supported', until],
    ['Made from', release.sources.join(', ') || 'nothing yet: there is only an installer that asks'],
    ['Default user', release.defaultUser],
    ['Boots with', `${release.firmware.join(' and ')}${release.boot === null ? '' : `, ${release.boot}`}`],
    ...(release.cpu === null ? [] : [['Processor', `${release.cpu} at least, on amd64`] as const]),
    ...(release.filesystem === null ? [] : [['Filesystem', release.filesystem] as const]),
    ...(release.subscription === null ? [] : [['Subscription', `packages need one (${release.subscription})`] as const]),
    ['Proven here', provenText(release.proven)],
  ];
}

function provenText(rows: Shown['proven']): string {
  const texts = rows.map(({ arch, source, standIn, booted, by, on }) => {
    const what = booted ? 'built and booted' : 'built, not booted';
    return `${source} on ${arch}: ${what}${standIn === null ? '' : `, with ${standIn}`} (${by}${on === null ? '' : `, ${on}`})`;
  });
  return texts.length === 0 ? 'nothing was built from it by tests' : texts.join('; ');
}

function imageLines({ arch, image: one, proof, seenGood }: Shown['images'][number]): Line[] {
  const { pinned, mirrors } = one;
  const packing = `${one.format}${one.compression === 'none' ? '' : `, ${one.compression}`}${one.member === undefined ? '' : `, ${one.member} in a tar archive`}`;
  return [
    [`Cloud image for ${arch}`, ''],
    ['  URL', marked(`${one.url}${one.entry ?? ''}`, one.inferred)],
    ...mirrors.map((url): Line => ['  or', url]),
    ['  Format', packing],
    ...proofLines(one, proof),
    ...(pinned === undefined
      ? []
      : ([
          ['  Dated', pinned.url],
          ['  Digest', pinned.digest],
        ] as const)),
    ['  Seen in', one.seen],
    ...(seenGood === null ? [] : [['  Seen good', seenGood.at] as const]),
  ];
}

function mediumLines(one: NonNullable<Shown['installer']>['media'][number], method: string): Line[] {
  return [
    [`Installer for ${one.arch} (${method}${method === 'interactive' ? ': it asks, and cannot be told' : ', by `source: installer`'})`, ''],
    ['  URL', marked(one.url, one.inferred)],
    ...(one.repository === undefined ? [] : [['  Packages', one.repository] as const]),
    ...proofLines(one, one.proof),
    ['  Seen in', one.seen],
  ];
}

type Verified = Pick<Shown['images'][number]['image'], 'checksum' | 'signature' | 'login'>;

function proofLines({ checksum, signature, login }: Verified, proof: Shown['images'][number]['proof']): Line[] {
  return [
    ...(login === undefined ? [] : [['  Login', `${login}: download it yourself, and start from the file`] as const]),
    ['  Proved by', { signature: 'a signature', checksum: 'a checksum alone', digest: 'the digest of the dated image', none: 'nothing' }[proof]],
    ...(checksum === undefined ? [] : [['  Checksum', marked(`${checksum.url} (${checksum.algorithm}, ${checksum.style})`, checksum.inferred)] as const]),
    ...(signature === undefined
      ? []
      : [
          [
            '  Signature',
            signature.kind === 'inline' ? 'the checksum file is signed itself' : marked(`${signature.url} (of the ${signature.of})`, signature.inferred),
          ] as const,
        ]),
  ];
}

function keyLine({ fingerprint, owner, there, source }: Shown['keys'][number]): Line {
  const state = there ? (owner ?? 'in the catalog') : 'the key is not here: put it into keys/ of your catalog folder';
  return [`  ${fingerprint}`, `${state} (${source})`];
}

function marked(text: string, inferred: boolean): string {
  return inferred ? `${text} (inferred, not seen)` : text;
}
