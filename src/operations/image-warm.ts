import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatSize } from '../base/types.ts';
import { firmwareSchema } from '../platforms/local/guest-spec.ts';
import { warmImage } from '../platforms/local/warm-image.ts';
import { removeWarmState, viewWarmStates, type WarmView } from '../platforms/local/warm-remove.ts';
import { openStore } from '../store/store.ts';
import { formatAge } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';
import { sizeInput } from './vm-input.ts';

const stateSchema = z.strictObject({
  key: z.string(),
  image: z.strictObject({ reference: z.string(), digest: z.string() }),
  firmware: firmwareSchema,
  cpus: z.int(),
  memory: z.int().describe('Bytes'),
  disk: z.int().describe('Bytes'),
  /** Bytes that it takes on the host's disk. */
  size: z.int(),
  created: z.string(),
  /** Seconds since then. */
  age: z.int(),
  /** Why no VM can start from it any more. */
  useless: z.string().optional(),
});

export default defineOperation({
  name: 'image warm',
  summary: 'Boot an image once and save that machine, for `vm create --warm` to start from',
  description:
    'The machine is booted, waited for, and saved with its memory; VMs of the same size and image then start from it, each with an identity of its own. `vm create --warm` makes one where there is none. A state fits one QEMU, firmware, number of processors, size of memory and of disk; `image prune` removes those that fit nothing any more.',
  kind: 'job',
  input: z.object({
    image: z.string().min(1).optional().describe('Image to boot: name, name:tag or name@sha256:…').meta({ positional: true, complete: 'image' }),
    cpus: z.int().min(1).max(255).default(2).describe('Processors'),
    memory: sizeInput('Memory', 64 * 2 ** 20).prefault('1GiB'),
    disk: sizeInput("Size of the disk; default 10GiB, or the image's where that is more").optional(),
    firmware: firmwareSchema.optional().describe('What starts the boot loader; default bios on amd64, uefi on arm64'),
    list: z.boolean().default(false).describe('Only list what is saved, of this image or of all'),
    remove: z.boolean().default(false).describe('Remove all that is saved of this image; VMs that were started from it go on'),
    force: z.boolean().default(false).describe('Boot it although the budget or the memory is short'),
  }),
  output: z.strictObject({ removed: z.boolean(), states: z.array(stateSchema) }),
  examples: [
    { command: 'ingot image warm debian-12', does: 'saves a machine of the size that `vm create` makes' },
    { command: 'ingot image warm debian-12 --cpus 1 --memory 512MiB', does: 'saves a smaller one' },
    { command: 'ingot image warm --list', does: 'shows all that are saved, and what they take' },
    { command: 'ingot image warm debian-12 --remove', does: 'removes them' },
  ],
  async run(input, context) {
    const { image: reference, list, remove } = input;
    if (list && remove) throw new IngotError('usage', 'warm-list-or-remove', '--list and --remove cannot go together');
    if (reference === undefined && !list) throw new IngotError('usage', 'image-missing', 'Which image?', { hint: 'Name one, or use --list.' });
    const digest = reference === undefined ? undefined : (await openStore(context.host, context.home).resolve(reference)).digest;
    const made =
      reference === undefined || list || remove
        ? undefined
        : await warmImage(context, { ...input, image: reference, disk: input.disk, firmware: input.firmware });
    const views = (await viewWarmStates(context)).filter(({ state }) =>
      made === undefined ? digest === undefined || state.shape.image.digest === digest : state.key === made.key,
    );
    if (remove) for (const { state } of views) await removeWarmState(context, state);
    return { removed: remove, states: views.map((view) => stateOf(view, context.host.clock.now())) };
  },
  render({ removed, states }, options) {
    if (states.length === 0) return 'No machine is saved. `ingot image warm IMAGE` saves one.';
    const table = renderTable(
      [
        { title: 'IMAGE' },
        { title: 'CPUS', right: true },
        { title: 'MEMORY', right: true },
        { title: 'DISK', right: true },
        { title: 'FIRMWARE' },
        { title: 'SIZE', right: true },
        { title: 'AGE', right: true },
        { title: 'STATE' },
      ],
      states.map((state) => [
        state.image.reference,
        String(state.cpus),
        formatSize(state.memory),
        formatSize(state.disk),
        state.firmware,
        formatSize(state.size),
        formatAge(state.age),
        removed ? 'removed' : (state.useless ?? 'ready'),
      ]),
      options,
    );
    return table;
  },
});

function stateOf({ state, size, useless }: WarmView, now: Date): z.output<typeof stateSchema> {
  const { image, firmware, cpus, memory, disk } = state.shape;
  return {
    key: state.key,
    image: { reference: image.reference, digest: image.digest },
    firmware,
    cpus,
    memory,
    disk,
    size,
    created: state.created,
    age: Math.max(0, Math.floor((now.getTime() - Date.parse(state.created)) / 1000)),
    ...(useless === undefined ? {} : { useless }),
  };
}
