// The smaller half of zod: this command is called in loops, and the whole of it would double what it costs to start.
import * as z from 'zod/mini';
import { formatSize } from '../base/types.ts';
import { openStore } from '../store/store.ts';
import { formatAge, gateCell, shortDigest } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

const output = z.strictObject({
  images: z.array(
    z.strictObject({
      name: z.string(),
      /** Empty for an image that has lost its last tag. */
      tag: z.string(),
      digest: z.string(),
      id: z.string(),
      release: z.string(),
      roles: z.array(z.string()),
      virtualSize: z.int(),
      storedSize: z.int(),
      created: z.string(),
      /** Seconds since then. */
      age: z.int(),
      gate: z.enum(['passed', 'failed', 'not-run']),
      damaged: z.optional(z.string()),
      /** The VMs that use it, as far as their records can be read. */
      vms: z.array(z.string()),
    }),
  ),
});

export default defineOperation({
  name: 'image list',
  summary: 'List the images in the store',
  description:
    'SIZE is what an image takes in the store, layers that others share included; DISK is the size of the disk that a VM sees; VMS is how many use it; HOLDS names the release that it stands on, and its roles.',
  kind: 'query',
  input: z.strictObject({
    name: z.optional(z.string()).check(z.meta({ positional: true, complete: 'image', description: 'Only images of this name' })),
    all: z._default(z.boolean(), false).check(z.meta({ short: 'a', description: 'Also images that have lost their last tag' })),
  }),
  output,
  examples: [
    { command: 'ingot image list', does: 'list every tag' },
    { command: 'ingot image list debian-12 --json', does: 'the tags of one image, for a script' },
  ],
  async run(input, { host, home }) {
    const now = host.clock.now().getTime();
    const images = await openStore(host, home).list({ untagged: input.all });
    // Where there is no VM, what reads them is not loaded.
    const users =
      (await host.files.list(home.vms)).length === 0 ? undefined : await (await import('../platforms/local/vm-folders.ts')).shownImageUsers(host, home);
    return {
      images: images
        .filter((image) => input.name === undefined || image.name === input.name)
        .map((image) => ({
          ...image,
          roles: [...image.roles],
          vms: users?.get(image.digest) ?? [],
          age: Math.max(0, Math.floor((now - (Date.parse(image.created) || now)) / 1000)),
        })),
    };
  },
  render({ images }, options) {
    if (images.length === 0) return 'There are no images yet. `ingot build debian-12` makes one.';
    const columns = [
      { title: 'NAME' },
      { title: 'TAG' },
      { title: 'DIGEST' },
      { title: 'SIZE', right: true },
      { title: 'DISK', right: true },
      { title: 'GATE' },
      { title: 'AGE' },
      { title: 'VMS', right: true },
      { title: 'HOLDS', shrink: true },
    ];
    return renderTable(
      columns,
      images.map((image) => [
        image.name,
        image.tag === '' ? { text: '(none)', style: 'dim' } : image.tag,
        { text: shortDigest(image.digest), style: 'dim' },
        formatSize(image.storedSize),
        formatSize(image.virtualSize),
        gateCell(image.damaged === undefined ? image.gate : 'damaged'),
        formatAge(image.age),
        image.vms.length === 0 ? '' : String(image.vms.length),
        [image.release, ...image.roles].join(' + '),
      ]),
      options,
    );
  },
});
