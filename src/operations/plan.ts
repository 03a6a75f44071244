import * as z from 'zod';
import { hexOf } from '../base/types.ts';
import { prepare } from '../build/prepare.ts';
import { keySchema } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';
import { requestOf, templateInput, templatePosition, upstreamInput } from './request-input.ts';

export default defineOperation({
  name: 'plan',
  summary: 'Show the layers of an image with their keys, and which are cached',
  description: 'Resolves the packages against the repositories and plans the image, without building anything.',
  kind: 'query',
  input: z.object({ ...templatePosition, ...templateInput, ...upstreamInput }),
  output: z.object({
    name: z.string(),
    release: z.string(),
    arch: z.string(),
    kernel: z.string(),
    disk: z.object({ size: z.int(), filesystem: z.string() }),
    layers: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        key: keySchema,
        cached: z.boolean(),
        slow: z.boolean().describe('Runs in the booted image'),
        packages: z.int(),
        packageNames: z.array(z.string()),
        inputs: z.record(z.string(), z.string()),
      }),
    ),
  }),
  examples: [
    { command: 'ingot plan debian-12', does: 'the layers of a Debian 12 image' },
    { command: 'ingot plan debian-12 --offline --json', does: 'the same from what was last seen, for a program' },
  ],
  async run(input, context) {
    const { plan } = await prepare(context, requestOf(input.template, input), input);
    const store = openStore(context.host, context.home);
    const from = (plan.base?.layers ?? []).map(({ name, kind, key, packages }) => ({
      name,
      kind,
      key,
      cached: true,
      slow: false,
      packages: packages.length,
      packageNames: packages.map((item) => item.name),
      inputs: {},
    }));
    const layers = await Promise.all(
      plan.layers.map(async ({ name, kind, key, inputs, packages, recipe }) => ({
        name,
        kind,
        key,
        cached: (await store.findLayer(key)) !== undefined,
        slow: 'step' in recipe && recipe.step.booted,
        packages: packages.length,
        packageNames: packages.map((item) => item.name),
        inputs: { ...inputs },
      })),
    );
    const { template, release } = plan;
    return { name: template.name, release: release.id, arch: template.arch, kernel: template.kernel, disk: template.disk, layers: [...from, ...layers] };
  },
  render(output) {
    const width = Math.max(12, ...output.layers.map(({ name }) => Math.min(40, name.length)));
    const rows = output.layers.map((layer) => {
      const what = [
        layer.kind === layer.name ? '' : layer.kind,
        layer.packages === 0 ? '' : `${layer.packages} packages`,
        layer.slow ? 'slow: boots the image' : '',
      ].filter((text) => text !== '');
      return `  ${layer.name.slice(0, 40).padEnd(width)} ${hexOf(layer.key).slice(0, 12)}  ${layer.cached ? 'cached    ' : 'to be made'}  ${what.join(', ')}`.trimEnd();
    });
    return [
      `${output.name}: ${output.release}, ${output.arch}, ${output.kernel} kernel, ${output.disk.filesystem} on ${output.disk.size / 2 ** 30} GiB`,
      ...rows,
      '',
    ].join('\n');
  },
});
