import * as z from 'zod';
import { hexOf } from '../base/types.ts';
import { cachedLayers, type Outcomes } from '../build/cached.ts';
import { prepareAll, type Prepared } from '../build/prepare.ts';
import { keySchema } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';
import { templateInput, templatesPosition, upstreamInput } from './request-input.ts';
import { requestsOf } from './requests.ts';

const layerSchema = z.object({
  name: z.string(),
  kind: z.string(),
  key: keySchema,
  cached: z.boolean(),
  slow: z.boolean().describe('Runs in the booted image'),
  packages: z.int(),
  packageNames: z.array(z.string()),
  inputs: z.record(z.string(), z.string()),
});
const imageSchema = z.object({
  name: z.string(),
  release: z.string(),
  arch: z.string(),
  kernel: z.string(),
  disk: z.object({ size: z.int(), filesystem: z.string() }),
  layers: z.array(layerSchema),
});
type Layer = z.output<typeof layerSchema>;
type PlannedImage = z.output<typeof imageSchema>;

export default defineOperation({
  name: 'plan',
  summary: 'Show the layers of images with their keys, and which are cached',
  description: 'Resolves the packages against the repositories and plans the images of templates or of a fleet file, without building anything.',
  kind: 'query',
  input: z.object({ ...templatesPosition, ...templateInput, ...upstreamInput }),
  output: z.object({ images: z.array(imageSchema) }),
  examples: [
    { command: 'ingot plan debian-12', does: 'the layers of a Debian 12 image' },
    { command: 'ingot plan fleet.yaml', does: 'what a fleet would build, a line for each image' },
    { command: 'ingot plan debian-12 --offline --json', does: 'the same from what was last seen, for a program' },
  ],
  async run(input, context) {
    const prepared = await prepareAll(context, await requestsOf(context, input.templates, input), input);
    const store = openStore(context.host, context.home);
    const plans = prepared.map(({ plan }) => plan);
    const cached = await cachedLayers(context, store, plans, input.offline);
    return { images: plans.map((plan) => plannedImage(plan, cached)) };
  },
  render: ({ images }) => (images.length === 1 ? images.map(renderImage).join('') : renderFleet(images)),
});

function plannedImage(plan: Prepared['plan'], cached: Outcomes): PlannedImage {
  const { template, release } = plan;
  const from = (plan.base?.layers ?? []).map(({ name, kind, key, packages }) => layerOf({ name, kind, key, packages, inputs: {} }, true, false));
  const layers = plan.layers.map((layer) => layerOf(layer, cached.has(layer.key), 'step' in layer.recipe && layer.recipe.step.booted));
  return { name: template.name, release: release.id, arch: template.arch, kernel: template.kernel, disk: template.disk, layers: [...from, ...layers] };
}

function layerOf(
  layer: Pick<Prepared['plan']['layers'][number], 'name' | 'key' | 'packages' | 'inputs'> & { kind: string },
  cached: boolean,
  slow: boolean,
): Layer {
  const { name, kind, key, packages, inputs } = layer;
  return { name, kind, key, cached, slow, packages: packages.length, packageNames: packages.map((item) => item.name), inputs: { ...inputs } };
}

function renderImage({ name, release, arch, kernel, disk, layers }: PlannedImage): string {
  const width = Math.max(12, ...layers.map((layer) => Math.min(40, layer.name.length)));
  const rows = layers.map((layer) => {
    const what = [
      layer.kind === layer.name ? '' : layer.kind,
      layer.packages === 0 ? '' : `${layer.packages} packages`,
      layer.slow ? 'slow: boots the image' : '',
    ].filter((text) => text !== '');
    return `  ${layer.name.slice(0, 40).padEnd(width)} ${hexOf(layer.key).slice(0, 12)}  ${layer.cached ? 'cached    ' : 'to be made'}  ${what.join(', ')}`.trimEnd();
  });
  return [`${name}: ${release}, ${arch}, ${kernel} kernel, ${disk.filesystem} on ${disk.size / 2 ** 30} GiB`, ...rows, ''].join('\n');
}

/** One line for each image, and what they are together. */
function renderFleet(images: readonly PlannedImage[]): string {
  const width = Math.max(...images.map(({ name }) => name.length));
  const layers = new Map(images.flatMap((image) => image.layers.map((layer) => [layer.key, layer])));
  const cached = [...layers.values()].filter((layer) => layer.cached).length;
  const rows = images.map(({ name, release, arch, layers: own }) => {
    const missing = own.filter((layer) => !layer.cached);
    const slow = missing.some((layer) => layer.slow) ? ', boots the image' : '';
    return `${name.padEnd(width)}  ${release}  ${arch}  ${missing.length === 0 ? 'cached' : `${missing.length} of ${own.length} layers to be made${slow}`}`;
  });
  return [...rows, `${images.length} images, ${layers.size} layers, ${cached} of them cached`, ''].join('\n');
}
