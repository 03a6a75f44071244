import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { listPublications } from '../publish/journal.ts';
import { targetReference } from '../platforms/platform.ts';
import { findTarget, removeTarget } from '../publish/targets.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { targetInput } from './target-input.ts';

export default defineOperation({
  name: 'target remove',
  summary: 'Forget a connection to a platform, and its secret',
  description:
    'Nothing is changed there. Refused while publications to it are known, since they could not be removed any more; --force forgets it all the same.',
  kind: 'query',
  input: z.strictObject({ target: targetInput, force: z.boolean().default(false).describe('Also where there are publications to it; they stay there') }),
  output: z.strictObject({ target: z.string() }),
  examples: [{ command: 'ingot target remove proxmox:home', does: 'forget it, and the secret of its token' }],
  async run(input, context) {
    const target = await findTarget(context, input.target);
    const reference = targetReference(target);
    const known = (await listPublications(context)).filter((one) => one.target === reference);
    if (known.length > 0 && !input.force) {
      throw new IngotError('conflict', 'target-in-use', `${countOf(known.length, 'publication')} to ${reference} would be lost sight of`, {
        hint: '`ingot publication remove` removes them; --force forgets the target, and leaves there what is there.',
      });
    }
    await removeTarget(context, target);
    return { target: reference };
  },
  render: ({ target }) => `${target} is forgotten`,
});
