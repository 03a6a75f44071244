import * as z from 'zod';
import { EXIT_CODES, toIngotError, type ErrorClass } from '../base/errors.ts';
import { formatDuration, formatSize } from '../base/types.ts';
import type { ImageResult } from '../build/build.ts';
import { digestSchema, gateStatementSchema, keySchema } from '../store/model.ts';
import { installedPackages } from '../plan/plan.ts';
import type { RenderOptions } from './operation.ts';
import type { PreparedBuild } from './run-builds.ts';
import { renderTable, type Cell } from './table.ts';

const errorClasses = Object.keys(EXIT_CODES).filter((name): name is ErrorClass => name in EXIT_CODES);

/** What became of one image of a build, for scripts. */
export const builtImageSchema = z.object({
  name: z.string(),
  status: z
    .enum(['built', 'cached', 'failed', 'skipped'])
    .describe('cached: no layer had to be made; skipped: a layer that it shares failed, or it was stopped'),
  tag: z.string().optional(),
  digest: digestSchema.optional(),
  size: z.int().optional().describe('Bytes that the image takes in the store'),
  disk: z.int().describe("Size of the image's disk in bytes"),
  packages: z.int(),
  layers: z.array(z.object({ name: z.string(), key: keySchema, digest: digestSchema, cached: z.boolean(), seconds: z.number() })),
  gate: gateStatementSchema.optional(),
  error: z
    .object({ code: z.string(), class: z.enum(errorClasses), message: z.string(), hint: z.string().optional(), detail: z.string().optional() })
    .optional()
    .describe('Why it failed'),
  why: z.string().optional().describe('Why it was skipped'),
  seconds: z.number().describe('Since the build began'),
});
export type BuiltImage = z.output<typeof builtImageSchema>;

/** A result for scripts. */
export function builtImage({ prepared: { plan } }: PreparedBuild, result: ImageResult): BuiltImage {
  const about = {
    name: plan.template.name,
    disk: plan.template.disk.size,
    packages: installedPackages([...(plan.base?.layers ?? []), ...plan.layers]).size,
    seconds: result.seconds,
  };
  if (result.status === 'skipped') return { ...about, status: 'skipped', layers: [], why: result.why };
  if (result.status === 'failed') {
    const error = toIngotError(result.error);
    return {
      ...about,
      status: 'failed',
      layers: [],
      ...(result.image === undefined ? {} : { digest: result.image.digest, ...(result.image.gate === undefined ? {} : { gate: result.image.gate }) }),
      error: {
        code: error.code,
        class: error.class,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        ...(error.detail === undefined ? {} : { detail: error.detail }),
      },
    };
  }
  const { status, image, tag, layers, gate } = result;
  return {
    ...about,
    status,
    tag,
    digest: image.digest,
    size: image.layers.reduce((sum, layer) => sum + layer.size, 0),
    layers: layers.map(({ name, record, cached, seconds }) => ({ name, key: record.key, digest: record.digest, cached, seconds })),
    gate,
  };
}

/** One image in full. */
export function renderImage(image: BuiltImage, seconds: number): string {
  return [
    `${image.name}:${image.tag ?? ''}`,
    `  digest   ${image.digest ?? ''}`,
    `  size     ${formatSize(image.size ?? 0)} stored, ${formatSize(image.disk)} disk, ${image.packages} packages`,
    `  layers   ${layersText(image)}`,
    `  gate     ${gateText(image)}`,
    `  time     ${formatDuration(seconds)}`,
    '',
  ].join('\n');
}

function layersText({ layers }: BuiltImage): string {
  const made = layers.filter((layer) => !layer.cached);
  const count = `${layers.length - made.length} of ${layers.length} cached`;
  return made.length === 0 ? count : `${count}; made: ${made.map(({ name, seconds }) => `${name} (${formatDuration(seconds)})`).join(', ')}`;
}

function gateText({ gate }: BuiltImage): string {
  if (gate === undefined) return '';
  if (gate.result !== 'passed') return `${gate.result}${gate.reason === undefined ? '' : `: ${gate.reason}`}`;
  return `passed (${gate.level}, ${gate.checks.filter((check) => check.result === 'passed').length} checks)`;
}

/** Many images: a line for each, the failures below it, and a sum. */
export function renderImages(images: readonly BuiltImage[], seconds: number, options: RenderOptions): string {
  const styles = { built: 'green', cached: 'dim', failed: 'red', skipped: 'yellow' } as const;
  const rows = images.map((image): Cell[] => {
    const made = image.layers.filter((layer) => !layer.cached).length;
    return [
      image.name,
      image.tag ?? '',
      { text: image.status, style: styles[image.status] },
      image.layers.length === 0 ? '' : `${made} of ${image.layers.length}`,
      image.size === undefined ? '' : formatSize(image.size),
      image.gate === undefined ? '' : image.gate.result,
    ];
  });
  const columns = [
    { title: 'IMAGE' },
    { title: 'TAG' },
    { title: 'RESULT' },
    { title: 'LAYERS MADE', right: true },
    { title: 'SIZE', right: true },
    { title: 'GATE' },
  ];
  const reasons = images.flatMap(({ name, error, why }) => {
    if (error !== undefined) return [`${name}: ${error.message} (${error.code}). \`ingot build logs ${name}\` shows its log.`];
    return why === undefined ? [] : [`${name}: not built: ${why}`];
  });
  const counts = (['built', 'cached', 'failed', 'skipped'] as const).flatMap((status) => {
    const count = images.filter((image) => image.status === status).length;
    return count === 0 ? [] : [`${count} ${status}`];
  });
  return [
    renderTable(columns, rows, options),
    '',
    ...(reasons.length === 0 ? [] : [...reasons, '']),
    `${images.length} images: ${counts.join(', ')}, in ${formatDuration(seconds)}`,
    '',
  ].join('\n');
}

/** The exit code of several images: that of the first failure, or of being stopped. */
export function exitCodeOf(images: readonly BuiltImage[]): number {
  const failed = images.find(({ error }) => error !== undefined)?.error;
  if (failed !== undefined) return EXIT_CODES[failed.class];
  return images.some(({ status }) => status === 'skipped') ? EXIT_CODES.interrupted : 0;
}
