import { IngotError } from '../base/errors.ts';
import type { SubscriptionVendor } from './template.ts';

/** The error for packages of a release which are served to customers alone, and nothing says how to register. */
export function subscriptionMissing(
  { id, subscription: vendor }: { readonly id: string; readonly subscription?: SubscriptionVendor | undefined },
  what: string,
  problems: IngotError['problems'] = [],
): IngotError {
  const own = vendor === 'sles' ? 'registration-code: { secret: my-key }' : "organization: '1234567', activation-key: { secret: my-key }";
  return new IngotError('usage', 'subscription-missing', `Packages of ${id} are served to who has a subscription, and the template names none (${what})`, {
    problems,
    hint: `Store its ${vendor === 'sles' ? 'registration code' : 'activation key'} with \`ingot secret set my-key\`, and write \`subscription: { ${own} }\`; or name repositories of your own in \`system.repositories\`.`,
  });
}
