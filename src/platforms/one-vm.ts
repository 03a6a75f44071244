import { IngotError, nearest } from '../base/errors.ts';
import type { RemoteVm } from './remote-vms.ts';

/** How a target speaks of what it has. */
export interface VmWords {
  /** The target, PLATFORM:NAME. */
  readonly on: string;
  readonly kind: RemoteVm['kind'];
  /** What the platform calls a VM by: `number`. */
  readonly identifier: string;
  /** Between a VM and its place: `on` a node, `in` a zone. */
  readonly at: string;
}

/** The one VM of a name, or of an identifier, among all of a target. Throws `vm-unknown` with the nearest names, `vm-ambiguous`. Pure. */
export function oneVm(all: readonly RemoteVm[], name: string, { on, kind, identifier, at }: VmWords): RemoteVm {
  const found = all.filter((vm) => vm.name === name || vm.id === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const noun = kind === 'vm' ? 'VM' : 'container';
  if (found.length > 1) {
    throw new IngotError('conflict', 'vm-ambiguous', `${on} has ${found.length} ${noun}s named ${name}`, {
      hint: `Name it by its ${identifier}: ${found.map(({ id, place }) => `${id} (${at} ${place})`).join(', ')}.`,
    });
  }
  const near = nearest(
    name,
    all.map((vm) => vm.name),
  );
  throw new IngotError('not-found', 'vm-unknown', `${on} has no ${noun} named ${name}`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `\`ingot ${kind === 'vm' ? 'vm' : 'ct'} list --on ${on} --all\` shows what there is.`,
  });
}
