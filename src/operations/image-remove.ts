import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { imageUsers } from '../platforms/local/vms.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image remove',
  summary: 'Remove an image, or one of its tags',
  description:
    'Removes the tag; with the last tag goes the image, and of its layers those that no other image uses. By digest, or with --all-tags, the image goes with all its tags. An image that a VM uses stays.',
  kind: 'query',
  input: z.strictObject({
    images: z.array(z.string()).min(1).meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
    allTags: z.boolean().default(false).describe('Remove the image with every tag that it has'),
  }),
  output: z.strictObject({
    removed: z.array(
      z.strictObject({ digest: z.string(), untagged: z.array(z.string()), remaining: z.array(z.string()), removed: z.boolean(), freed: z.int() }),
    ),
  }),
  examples: [
    { command: 'ingot image remove debian-12:20260101-0a1b2c3d4e5f', does: 'remove one tag' },
    { command: 'ingot image remove debian-12 --all-tags', does: 'remove the latest image with all its tags' },
  ],
  async run(input, { host, home, signal }) {
    const store = openStore(host, home);
    const removed = [];
    for (const reference of input.images) {
      signal.throwIfAborted();
      const wanted = input.allTags ? await entryDigest(store, reference) : reference;
      const { untagged, remaining, ...rest } = await store.remove(wanted, await imageUsers(host, home));
      removed.push({ ...rest, untagged: [...untagged], remaining: [...remaining] });
    }
    return { removed };
  },
  render: ({ removed }) =>
    removed
      .map((one) => {
        if (one.removed) return `Removed ${one.untagged.join(', ') || one.digest} (${formatSize(one.freed)} freed)`;
        return `Removed the tag ${one.untagged.join(', ')}; the image stays as ${one.remaining.join(', ')}`;
      })
      .join('\n'),
});

/** The digest behind a reference, for an image that may be damaged: removing is then what one wants. */
async function entryDigest(store: ReturnType<typeof openStore>, reference: string): Promise<string> {
  const listed = (await store.list()).find(({ name, tag }) => `${name}:${tag}` === reference || (tag === 'latest' && name === reference));
  return listed?.digest ?? (await store.resolve(reference)).digest;
}
