import * as z from 'zod';
import { EXIT_CODES } from '../base/errors.ts';
import { formatSize } from '../base/types.ts';
import { checkSignatures } from '../attest/check-signatures.ts';
import { openStore } from '../store/store.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { styled } from './table.ts';

export default defineOperation({
  name: 'image verify',
  summary: 'Read every byte of the store and compare it with its digests',
  description:
    'Checks the index with its tags and gate results, manifests, configs, layers with their headers and backing names, and the layer cache. With --signed, also who signed each image. Exit code 7 where something is wrong. --repair takes what is damaged out of use, so that the next build makes it again.',
  kind: 'job',
  input: z.strictObject({
    images: z
      .array(z.string())
      .optional()
      .meta({ positional: true, complete: 'image', placeholder: 'IMAGE' })
      .describe('Only these images; default: the whole store'),
    repair: z.boolean().default(false).describe('Take what is damaged out of use, and put the index back'),
    signed: z.boolean().default(false).describe("Demand of each image that a trusted key signed it: one of trusted-keys, or this ingot's own"),
    key: z.string().optional().meta({ placeholder: 'ed25519:…' }).describe('Demand that this key signed each image'),
  }),
  output: z.strictObject({
    images: z.int(),
    blobs: z.int(),
    bytes: z.int(),
    /** With --signed or --key: who signed each image, and what of it. */
    signatures: z.array(z.strictObject({ image: z.string(), digest: z.string(), keys: z.array(z.string()), predicates: z.array(z.string()) })).optional(),
    problems: z.array(
      z.strictObject({ kind: z.string(), file: z.string(), message: z.string(), images: z.array(z.string()), repaired: z.string().optional() }),
    ),
  }),
  examples: [
    { command: 'ingot image verify', does: 'verify everything' },
    { command: 'ingot image verify debian-12', does: 'verify one image' },
    { command: 'ingot image verify web --signed', does: 'verify one image, and that somebody whom you trust signed it' },
    { command: 'ingot image verify --repair', does: 'verify, and make the store usable again' },
  ],
  async run(input, context) {
    const { host, home, events, signal } = context;
    const chosen = input.images === undefined || input.images.length === 0 ? undefined : input.images;
    return await events.stage('verify the image store', async (span) => {
      const onProgress = (done: number, total: number): void => {
        signal.throwIfAborted();
        span.progress(done, total, 'bytes');
      };
      const report = await openStore(host, home).verify(chosen, onProgress, { repair: input.repair });
      const problems = report.problems.map((problem) => ({ ...problem, images: [...problem.images] }));
      if (!input.signed && input.key === undefined) return { ...report, problems };
      const checked = await checkSignatures(context, chosen, input.key);
      return { ...report, signatures: checked.signatures, problems: [...problems, ...checked.problems] };
    });
  },
  exitCode: ({ problems }) => (problems.every((problem) => problem.repaired !== undefined) ? 0 : EXIT_CODES.verification),
  render(report, options) {
    const sum = `${countOf(report.images, 'image')}, ${countOf(report.blobs, 'file')}, ${formatSize(report.bytes)}`;
    const signed = (report.signatures ?? []).map(({ image, keys }) => `${image}: ${keys.length === 0 ? 'not signed' : `signed by ${keys.join(', ')}`}`);
    if (report.problems.length === 0) return [`${styled('Everything is whole', 'green', options)}: ${sum}`, ...signed].join('\n');
    const lines = report.problems.flatMap((problem) => [
      `${styled('✘', 'red', options)} ${problem.file}: ${problem.message}`,
      ...(problem.images.length > 0 ? [`    spoils ${problem.images.join(', ')}`] : []),
      ...(problem.repaired === undefined ? [] : [`    ${styled('repaired', 'green', options)}: ${problem.repaired}`]),
    ]);
    const open = report.problems.some(({ kind, repaired }) => repaired === undefined && kind !== 'not-signed');
    return [
      ...lines,
      '',
      `${report.problems.length} found wrong in ${sum}${open ? '. `ingot image verify --repair` takes what is damaged out of use' : ''}`,
    ].join('\n');
  },
});
