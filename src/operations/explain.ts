import * as z from 'zod';
import { shownValue } from '../base/settings.ts';
import { explainPlan } from '../build/explain.ts';
import { imageResolution, type ImageResolution } from '../build/cloud-image.ts';
import { prepare } from '../build/prepare.ts';
import { digestSchema, keySchema } from '../store/model.ts';
import { defineOperation } from './operation.ts';
import { requestOf, templateInput, templatePosition, upstreamInput } from './request-input.ts';

const imageSchema = z.object({
  from: z.enum(['catalog', 'given']),
  url: z.string(),
  digest: digestSchema,
  promised: z.string().optional(),
  by: z.enum(['signature', 'checksum', 'pinned', 'digest', 'nothing']).optional(),
  signer: z.object({ fingerprint: z.string(), owner: z.string().optional() }).optional(),
  checksums: z.string().optional(),
  signature: z.string().optional(),
  seen: z.string().optional(),
});

export default defineOperation({
  name: 'explain',
  summary: 'Say for each layer why it is cached or not, and what a cloud image is trusted for',
  description:
    'Compares the inputs of each layer with those of the newest layer of the same name and release that was built, and names what differs. Of a cloud image it says what the name meant, when, and who vouches for it.',
  kind: 'query',
  input: z.object({ ...templatePosition, ...templateInput, ...upstreamInput }),
  output: z.object({
    name: z.string(),
    release: z.string(),
    image: imageSchema.optional().describe('The cloud image that it starts from'),
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
    const { plan, image } = await prepare(context, requestOf(input.template, input), input);
    const { release, template } = plan;
    const resolution = image === undefined ? {} : { image: shown(await imageResolution(context, release, template.arch, image)) };
    return { name: template.name, release: release.id, ...resolution, layers: await explainPlan(context, plan, input.offline) };
  },
  render(output) {
    const layers = output.layers
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
    return `${output.image === undefined ? '' : imageLines(output.release, output.image)}${layers}`;
  },
});

/** An address may hold a password, or a token. */
function shown({ from, digest, promised, by, signer, checksums, signature, seen, url }: ImageResolution): z.output<typeof imageSchema> {
  return { from, url: shownValue(url), digest, promised, by, signer, checksums, signature, seen };
}

const VOUCHED: Readonly<Record<NonNullable<ImageResolution['by']>, string>> = {
  signature: 'a signature',
  checksum: 'a list of checksums that nobody has signed',
  pinned: 'the digest that the catalog pins',
  digest: 'the digest that was given',
  nothing: 'nothing, as you decided',
};

function imageLines(release: string, { from, url, digest, promised, by, signer, checksums, signature, seen }: z.output<typeof imageSchema>): string {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['from', url],
    ['digest', digest],
    ['promised', promised === digest ? undefined : promised],
    ['vouched by', from === 'given' ? 'the digest alone: the template, or a lock file, names this very file' : by === undefined ? undefined : VOUCHED[by]],
    ['list', checksums],
    ['signature', signature],
    ['key', signer === undefined ? undefined : [signer.fingerprint, signer.owner].filter((part) => part !== undefined).join(' ')],
    ['seen', seen],
  ];
  const known = lines.flatMap(([name, value]) => (value === undefined ? [] : [`    ${`${name}:`.padEnd(12)}${value}\n`]));
  return `The cloud image of ${release}:\n${known.join('')}\n`;
}
