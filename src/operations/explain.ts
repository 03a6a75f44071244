import * as z from 'zod';
import { explainPlan } from '../build/explain.ts';
import { prepare } from '../build/prepare.ts';
import { keySchema } from '../store/model.ts';
import { defineOperation } from './operation.ts';
import { requestOf, templateInput, templatePosition, upstreamInput } from './request-input.ts';

export default defineOperation({
  name: 'explain',
  summary: 'Say for each layer why it is cached or not',
  description: 'Compares the inputs of each layer with those of the newest layer of the same name and release that was built, and names what differs.',
  kind: 'query',
  input: z.object({ ...templatePosition, ...templateInput, ...upstreamInput }),
  output: z.object({
    name: z.string(),
    layers: z.array(
      z.object({
        name: z.string(),
        key: keySchema,
        cached: z.boolean(),
        reason: z.string(),
        differs: z.array(z.string()),
        packages: z.object({ added: z.array(z.string()), removed: z.array(z.string()), changed: z.array(z.string()) }).optional(),
      }),
    ),
  }),
  examples: [{ command: 'ingot explain debian-12', does: 'why the next build would, or would not, make each layer anew' }],
  async run(input, context) {
    const { plan } = await prepare(context, requestOf(input.template, input), input);
    return { name: plan.template.name, layers: await explainPlan(context, plan, input.offline) };
  },
  render(output) {
    return output.layers
      .map((layer) => {
        const changes =
          layer.packages === undefined
            ? []
            : [...layer.packages.changed, ...layer.packages.added.map((each) => `${each} (new)`), ...layer.packages.removed.map((each) => `${each} (gone)`)];
        return [
          `${layer.name}: ${layer.cached ? 'cached' : 'to be made'}: ${layer.reason}`,
          ...changes.slice(0, 20).map((line) => `    ${line}`),
          ...(changes.length > 20 ? [`    and ${changes.length - 20} more`] : []),
          '',
        ].join('\n');
      })
      .join('');
  },
});
