import * as z from 'zod';
import { hexOf } from '../base/types.ts';
import { prepare } from '../plan/prepare.ts';
import { keySchema } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';
import { requestInput } from './request-input.ts';

export default defineOperation({
  name: 'plan',
  summary: 'Show the layers of an image with their keys, and which are cached',
  description: 'Resolves the packages against the repositories and plans the image, without building anything.',
  kind: 'query',
  input: z.object(requestInput),
  output: z.object({
    name: z.string(),
    release: z.string(),
    arch: z.string(),
    kernel: z.string(),
    disk: z.object({ size: z.int(), filesystem: z.string() }),
    layers: z.array(
      z.object({
        name: z.string(),
        key: keySchema,
        cached: z.boolean(),
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
    const { plan } = await prepare(context, input);
    const store = openStore(context.host, context.home);
    const layers = await Promise.all(
      plan.layers.map(async ({ name, key, inputs, packages }) => ({
        name,
        key,
        cached: (await store.findLayer(key)) !== undefined,
        packages: packages.length,
        packageNames: packages.map((item) => item.name),
        inputs: { ...inputs },
      })),
    );
    const { template } = plan;
    return { name: template.name, release: template.release, arch: template.arch, kernel: template.kernel, disk: template.disk, layers };
  },
  render(output) {
    const rows = output.layers.map(
      (layer) => `  ${layer.name.padEnd(12)} ${hexOf(layer.key).slice(0, 12)}  ${layer.cached ? 'cached    ' : 'to be made'}  ${layer.packages} packages`,
    );
    return [
      `${output.name}: ${output.release}, ${output.arch}, ${output.kernel} kernel, ${output.disk.filesystem} on ${output.disk.size / 2 ** 30} GiB`,
      ...rows,
      '',
    ].join('\n');
  },
});
