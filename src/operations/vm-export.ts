import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { parseName } from '../base/types.ts';
import { imageGates } from '../build/image-gate.ts';
import { installedPackages } from '../plan/plan.ts';
import { parseTag } from '../store/reference.ts';
import { builtImageSchema, renderImage } from './build-result.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm export',
  summary: "Make an image of a virtual machine's disk",
  description:
    'A running machine is brought to rest by its guest agent for a moment and goes on at once; what follows is done to a copy. The copy is sealed: identity, host keys, logs, leases, histories, SSH keys and passwords go, so that each machine made from it has its own. What the machine wrote becomes one layer above those of its image, which both share. The tags move when the image has passed its gate. Disks besides the first are not part of it.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    as: z.string().min(1).describe("The image's name").meta({ placeholder: 'IMAGE', complete: 'image' }),
    tag: z.string().optional().describe('The tag that never moves again; default: date and short digest'),
    snapshot: z.string().optional().describe('Take the disk as it was in this snapshot; the machine is not touched'),
    seal: z.boolean().default(true).describe('Take out what belongs to this machine alone. Without, the image is a copy: it passes no gate, and none is run'),
    stop: z.boolean().default(false).describe('Shut a running machine down for it, and start it again'),
    timeout: z.number().positive().max(86_400).default(90).describe('Seconds for shutting down').meta({ placeholder: 'SECONDS' }),
    crashConsistent: z.boolean().default(false).describe("Take a running machine's disk without its agent, as after a power cut"),
    gate: z
      .enum(['quick', 'full', 'none'])
      .optional()
      .describe('How much is checked by booting; default: the setting, else quick. --no-gate is none')
      .meta({ negatable: 'none' }),
  }),
  output: builtImageSchema,
  examples: [
    { command: 'ingot vm export web --as my-image', does: 'an image of the running VM web, proven by booting it' },
    { command: 'ingot vm export web --as my-image --snapshot before-upgrade', does: 'of what it was in a snapshot' },
    { command: 'ingot vm export web --as my-image --stop --tag 1.0', does: 'shut down for a moment, for a guest without agent' },
    { command: 'ingot vm export web --as web-copy --no-seal', does: 'with all that makes it this machine' },
  ],
  async run(input, context) {
    const start = context.host.clock.monotonic();
    const gate = gateOf(input, context.settings.gate);
    checkTogether(input);
    const { exportVm } = await import('../build/vm-image/export-vm.ts');
    const {
      image,
      layers,
      tag,
      gate: found,
    } = await exportVm(context, {
      vm: parseName(input.name, 'a VM'),
      target: {
        name: parseName(input.as, 'an image'),
        tag: input.tag === undefined ? undefined : parseTag(input.tag),
        gate: imageGates(gate)([]),
      },
      seal: input.seal,
      snapshot: input.snapshot,
      stop: input.stop,
      crashConsistent: input.crashConsistent,
      timeout: input.timeout,
    });
    const details = image.config['dev.ingot.image'];
    return {
      name: details.template,
      status: 'built' as const,
      tag,
      digest: image.digest,
      size: image.layers.reduce((sum, layer) => sum + layer.size, 0),
      disk: details.disk.size,
      packages: installedPackages(details.layers.map(({ removed = [], ...layer }) => ({ ...layer, removed }))).size,
      layers: layers.map(({ name, record, cached, seconds }) => ({ name, key: record.key, digest: record.digest, cached, seconds })),
      gate: found,
      seconds: (context.host.clock.monotonic() - start) / 1000,
    };
  },
  render: (image) => renderImage(image, image.seconds),
});

type Gate = 'quick' | 'full' | 'none';

/** A copy holds what every gate looks for: there is nothing to prove about it. */
function gateOf({ gate, seal }: { readonly gate?: Gate | undefined; readonly seal: boolean }, setting: Gate | undefined): Gate {
  if (seal) return gate ?? setting ?? 'quick';
  if (gate === undefined || gate === 'none') return 'none';
  throw new IngotError('usage', 'seal-needed', 'An image that is not sealed passes no gate: it has the identity and the keys of its machine', {
    hint: 'Leave --no-seal away, or --gate.',
  });
}

function checkTogether({
  snapshot,
  stop,
  crashConsistent,
}: {
  readonly snapshot?: string | undefined;
  readonly stop: boolean;
  readonly crashConsistent: boolean;
}): void {
  if (stop && crashConsistent)
    throw new IngotError('usage', 'flags-contradict', '--stop and --crash-consistent say how a running VM is taken, and only one can be');
  if (snapshot === undefined || (!stop && !crashConsistent)) return;
  throw new IngotError('usage', 'flags-contradict', `--${stop ? 'stop' : 'crash-consistent'} says nothing about a snapshot: the machine is not touched for it`);
}
