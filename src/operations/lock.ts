import { dirname, join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../base/files.ts';
import { lockContent } from '../build/lock-file.ts';
import { prepareAll } from '../build/prepare.ts';
import { findTemplate } from '../template/find.ts';
import { clientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';
import { requestsOf } from './requests.ts';
import { templateInput, templatesPosition, upstreamInput } from './request-input.ts';

export default defineOperation({
  name: 'lock',
  summary: 'Write down what templates mean today, to build exactly that later',
  description:
    'Resolves the packages of templates and writes their versions and checksums, the digests of what they start from and of the repositories to ingot.lock beside the first template. `ingot build --frozen` builds exactly that, or says what is gone.',
  kind: 'job',
  input: z.object({
    ...templatesPosition,
    ...templateInput,
    ...upstreamInput,
    file: clientFile.optional().describe('The lock file; default ingot.lock beside the first template'),
  }),
  output: z.object({ file: z.string(), images: z.array(z.object({ name: z.string(), packages: z.int() })) }),
  examples: [{ command: 'ingot lock web.yaml', does: 'pins every package of web.yaml in ingot.lock' }],
  async run(input, context) {
    const requests = await requestsOf(context, input.templates, input);
    const prepared = await prepareAll(context, requests, input);
    const file = input.file ?? (await lockFile(context, requests[0]?.template ?? ''));
    const { stringify } = await import('yaml');
    const text = `# Written by \`ingot lock\`; built exactly so by \`ingot build --frozen\`.\n${stringify(lockContent(prepared), { lineWidth: 0 })}`;
    await replaceFile(context.host.files, file, text);
    return {
      file,
      images: prepared.map(({ plan }) => ({ name: plan.template.name, packages: plan.layers.reduce((sum, layer) => sum + layer.packages.length, 0) })),
    };
  },
  render: (output) => `${output.images.map(({ name, packages }) => `${name}: ${packages} packages locked`).join('\n')}\nWritten to ${output.file}.\n`,
});

/** Where the lock of templates is: beside the first of them, else where the user is. */
export async function lockFile(context: Context, template: string): Promise<string> {
  const found = await findTemplate(context, template);
  return join(found.kind === 'file' ? dirname(found.path) : (context.folder ?? '.'), 'ingot.lock');
}
