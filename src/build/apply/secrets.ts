import type { SecretUse } from '../../template/template.ts';
import type { ApplyContext } from './apply.ts';

/** Values of secrets, which every later output of the layer is masked for. Throws `secret-unknown`. */
export async function secretValues(apply: ApplyContext, uses: readonly SecretUse[]): Promise<string[]> {
  const values = await Promise.all(uses.map(({ secret }) => apply.secrets.value(secret)));
  apply.mask(values);
  return values;
}
