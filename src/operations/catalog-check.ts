import * as z from 'zod';
import { EXIT_CODES } from '../base/errors.ts';
import { findRelease, loadCatalog, releases } from '../catalog/catalog.ts';
import { lastSeenGood, lastSeenSchema, rememberSeen, type LastSeen } from '../catalog/last-seen.ts';
import { checkImages, type CheckedImage } from '../sources/cloud-image/check.ts';
import { countOf } from './image-text.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { styled } from './table.ts';

const checked = z.strictObject({
  /** `release/architecture`. */
  image: z.string(),
  /** `login`: only its user can have it. `unverified`: it is there, and nothing vouches for it. */
  status: z.enum(['good', 'unverified', 'bad', 'unreachable', 'login']),
  /** What is there now; null where it is not good. */
  now: lastSeenSchema.nullable(),
  /** What was good the last time; null where nothing was. */
  before: lastSeenSchema.nullable(),
  /** What is different from the last time. */
  changed: z.array(z.string()),
  warnings: z.array(z.string()),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});
type Checked = z.output<typeof checked>;

export default defineOperation({
  name: 'catalog check',
  summary: "Ask the distributions' mirrors whether all cloud images of the catalog are there, and signed as the catalog says",
  description:
    'For every image: its address, its checksum file and the entry in it, and the signature against the pinned keys. Images are not downloaded. When each was last found good is kept in the home, and what has changed since is told. Exit code 7 where something is wrong, 6 where mirrors could not be reached.',
  kind: 'job',
  input: z.strictObject({
    releases: z
      .array(z.string())
      .optional()
      .meta({ positional: true, complete: 'release', placeholder: 'RELEASE' })
      .describe('Only these releases; default: all that have cloud images'),
    jobs: z.int().min(1).max(64).default(8).describe('How many are asked for at the same time').meta({ short: 'j', placeholder: 'COUNT' }),
  }),
  output: z.strictObject({ images: z.array(checked) }),
  examples: [
    { command: 'ingot catalog check', does: 'every cloud image of the catalog' },
    { command: 'ingot catalog check ubuntu-24.04 rocky-9', does: 'those of two releases' },
    { command: 'ingot catalog check --json', does: 'the report for a program, such as a nightly job' },
  ],
  async run(input, context) {
    const catalog = await loadCatalog(context);
    const chosen = input.releases === undefined || input.releases.length === 0 ? releases(catalog) : input.releases.map((id) => findRelease(catalog, id));
    const images = chosen.flatMap(({ id, images: all }) => Object.entries(all).map(([arch, image]) => ({ name: `${id}/${arch}`, image })));
    const before = await lastSeenGood(context);
    const found = await context.events.stage(`ask for ${countOf(images.length, 'image')}`, (span) =>
      checkImages(context, images, {
        keys: Object.values(catalog.keys),
        jobs: input.jobs,
        onDone: (done, total) => span.progress(done, total, 'items'),
      }),
    );
    const good = found.flatMap(({ name, seen }) => (seen === undefined ? [] : [[name, seen] as const]));
    if (good.length > 0) await rememberSeen(context, Object.fromEntries(good));
    return { images: found.map((one) => resultOf(one, before[one.name])) };
  },
  exitCode: ({ images }) =>
    images.some(({ status }) => status === 'bad') ? EXIT_CODES.verification : images.some(({ status }) => status === 'unreachable') ? EXIT_CODES.upstream : 0,
  render({ images }, options) {
    if (images.length === 0) return 'There is no cloud image to check.';
    const away = images.filter(({ status }) => status === 'unreachable');
    const counts = (['good', 'unverified', 'bad', 'unreachable', 'login'] as const).flatMap((status) => {
      const count = images.filter((one) => one.status === status).length;
      return count === 0 ? [] : [`${count} ${WORDS[status]}`];
    });
    const told = images.filter((one) => one.status !== 'unreachable').flatMap((one) => lineOf(one, options));
    const unreached = [...new Set(away.map(({ error }) => error?.message ?? ''))].map((message) => `${styled('✘', 'red', options)} ${message}`);
    return [...told, ...unreached, ...(told.length + unreached.length === 0 ? [] : ['']), `${countOf(images.length, 'image')}: ${counts.join(', ')}`].join(
      '\n',
    );
  },
});

const WORDS: Readonly<Record<Checked['status'], string>> = {
  good: 'good',
  unverified: 'there, with nothing that vouches for them',
  bad: 'wrong',
  unreachable: 'could not be asked for',
  login: 'behind a login, not asked for',
};

function resultOf({ name, status, seen, error, warnings }: CheckedImage, before: LastSeen | undefined): Checked {
  return {
    image: name,
    status,
    now: seen ?? null,
    before: before ?? null,
    changed: changesOf(before, seen, status),
    warnings: [...warnings],
    error: error ?? null,
  };
}

function changesOf(before: LastSeen | undefined, now: LastSeen | undefined, status: Checked['status']): string[] {
  if (before === undefined) return now === undefined ? [] : ['seen for the first time'];
  if (now === undefined) return status === 'bad' ? [`was good on ${before.at.slice(0, 10)}`] : [];
  return [
    ...(before.file === now.file ? [] : [`another file: ${now.file}`]),
    ...(before.file === now.file && before.digest !== now.digest ? ['a new build'] : []),
    ...(before.signer === now.signer ? [] : [`another key has signed: ${now.signer ?? 'none'}`]),
  ];
}

function lineOf({ image, status, changed, warnings, error }: Checked, options: RenderOptions): string[] {
  const more = warnings.map((warning) => `    ${styled('warning', 'yellow', options)}: ${warning}`);
  if (status === 'bad')
    return [`${styled('✘', 'red', options)} ${image}: ${error?.message ?? ''}${changed.length === 0 ? '' : ` (${changed.join(', ')})`}`, ...more];
  if (changed.length === 0 && more.length === 0) return [];
  return [`${styled('✔', 'green', options)} ${image}${changed.length === 0 ? '' : `: ${changed.join(', ')}`}`, ...more];
}
