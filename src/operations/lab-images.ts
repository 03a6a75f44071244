import type { Member } from '../lab/model.ts';
import type { Context } from './operation.ts';

/** The image in the store that a member of a lab is made from, built where there is none. Throws what imageFor throws. */
export async function imageOfMember(context: Context, member: Member): Promise<string> {
  const { imageFor } = await import('./vm-create-image.ts');
  return await imageFor(context, member, { build: true });
}
