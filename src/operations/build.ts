import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatDuration, formatSize } from '../base/types.ts';
import { buildImage } from '../build/build.ts';
import { gateImage, notRun } from '../gate/gate.ts';
import { prepare } from '../build/prepare.ts';
import { makeScratch } from '../base/scratch.ts';
import { openSecrets } from '../base/secrets.ts';
import { choosePlace, openPlace, type Place } from '../workspace/place.ts';
import { parseTag } from '../store/reference.ts';
import { digestSchema, gateStatementSchema, keySchema } from '../store/model.ts';
import { defineOperation } from './operation.ts';
import { requestOf, templateInput, templatePosition, upstreamInput } from './request-input.ts';

export default defineOperation({
  name: 'build',
  summary: 'Build an image, prove it by booting it, and store it',
  description:
    'Makes the layers that are not cached, puts the image together, boots it on a throw-away copy and checks it from inside (the gate), and only then moves its tags: latest, and one that never moves again. What it needs of the host and does not find is named and installed after you agree.',
  kind: 'job',
  input: z.object({
    ...templatePosition,
    ...templateInput,
    ...upstreamInput,
    workspace: z.enum(['auto', 'host', 'vm']).optional().describe('Where disks are opened; default: the setting, else what the host can do'),
    frozen: z.boolean().default(false).describe('Exactly what ingot.lock says'),
    tag: z.string().optional().describe('The tag that never moves again; default: date and short digest'),
    gate: z
      .enum(['quick', 'full', 'none'])
      .default('quick')
      .describe('How much is checked by booting; full adds BIOS and UEFI, two clones and a reboot. --no-gate is none')
      .meta({ negatable: 'none' }),
    debugShell: z.boolean().default(false).describe('Open a shell in the workspace where a step failed'),
  }),
  output: z.object({
    name: z.string(),
    tag: z.string(),
    digest: digestSchema,
    size: z.int().describe('Bytes that the image takes in the store'),
    disk: z.int().describe("Size of the image's disk in bytes"),
    packages: z.int(),
    layers: z.array(z.object({ name: z.string(), key: keySchema, digest: digestSchema, cached: z.boolean(), seconds: z.number() })),
    gate: gateStatementSchema,
    seconds: z.number(),
  }),
  examples: [
    { command: 'ingot build debian-12 --yes', does: 'a Debian 12 image; missing host tools are installed without asking' },
    { command: 'ingot build debian-13 --filesystem btrfs --size 8GiB', does: 'another file system and disk size' },
    { command: 'ingot build debian-12 --offline --no-gate', does: 'from what is cached, without booting it' },
  ],
  async run(input, context) {
    const start = context.host.clock.monotonic();
    if (input.tag !== undefined) parseTag(input.tag);
    const { plan, archives } = await prepare(context, requestOf(input.template, input), input);
    const level = input.gate;
    const chosen = input.workspace ?? context.settings.workspace;
    const workspace = await choosePlace(context, chosen === 'auto' ? undefined : chosen);
    await using undo = new AsyncDisposableStack();
    const scratch = undo.use(await makeScratch(context.host, context.home, 'building'));
    let place: Promise<Place> | undefined;
    undo.defer(async () => void (await (await place?.catch(() => undefined))?.[Symbol.asyncDispose]()));
    const { image, layers, gate, tag } = await buildImage(context, plan, {
      archives,
      secrets: openSecrets(context),
      workspace,
      place: () => (place ??= openPlace(context, { kind: workspace, scratch: scratch.path })),
      shellCommand: `ingot build ${input.template} --debug-shell`,
      tag: input.tag,
      offline: input.offline,
      debugShell: input.debugShell,
      beforeWork: async () => {
        const { requireBuildHost } = await import('../build/host.ts');
        await requireBuildHost(context, plan.template.arch);
      },
      gate: async (built) => (level === 'none' ? notRun(context, built, 'switched off with --no-gate') : await gateImage(context, built, level)),
    });
    if (gate.result === 'failed') {
      const failed = gate.checks.filter((check) => check.result === 'failed');
      throw new IngotError('verification', 'gate-failed', `${plan.template.name} did not pass its gate: ${failed.map((check) => check.name).join(', ')}`, {
        hint: `The image is kept without a tag: ingot image show ${plan.template.name}@${image.digest}. No tag was moved.`,
        problems: failed.map((check) => ({ path: check.name, message: check.detail ?? 'failed' })),
      });
    }
    return {
      name: plan.template.name,
      tag,
      digest: image.digest,
      size: image.layers.reduce((sum, layer) => sum + layer.size, 0),
      disk: plan.template.disk.size,
      packages: plan.layers.reduce((sum, layer) => sum + layer.packages.length, 0),
      layers: layers.map(({ name, record, cached, seconds }) => ({ name, key: record.key, digest: record.digest, cached, seconds })),
      gate,
      seconds: (context.host.clock.monotonic() - start) / 1000,
    };
  },
  render(output) {
    const cached = output.layers.filter((layer) => layer.cached).length;
    const passed = output.gate.checks.filter((check) => check.result === 'passed').length;
    const gate =
      output.gate.result === 'passed'
        ? `passed (${output.gate.level}, ${passed} checks)`
        : `${output.gate.result}${output.gate.reason === undefined ? '' : `: ${output.gate.reason}`}`;
    return [
      `${output.name}:${output.tag}`,
      `  digest   ${output.digest}`,
      `  size     ${formatSize(output.size)} stored, ${formatSize(output.disk)} disk, ${output.packages} packages`,
      `  layers   ${output.layers.map((layer) => `${layer.name} ${layer.cached ? 'cached' : formatDuration(layer.seconds)}`).join(', ')} (${cached} of ${output.layers.length} cached)`,
      `  gate     ${gate}`,
      `  time     ${formatDuration(output.seconds)}`,
      '',
    ].join('\n');
  },
});
