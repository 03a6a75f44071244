import { IngotError } from '../../base/errors.ts';
import { KeyedQueue } from '../keyed-queue.ts';
import type { LineageVm, Place, PlatformContext, Publisher } from '../platform.ts';
import type { CloudStackClient } from './client.ts';
import { driftOf } from './drift.ts';
import { factsOf, groupKey, type PlaceFacts } from './facts.ts';
import { CURRENT_TAG, tagsOf } from './marks.ts';
import type { MakeTransport } from './open.ts';
import { planPublication } from './plan.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';
import { ensureTags, ensureVisibility, removeFromZone, rowOf } from './templates.ts';
import { Transfers } from './transfer.ts';
import { removeTrial, tryOut } from './trial.ts';

/** What publishing to CloudStack is; each step is told in {@link Publisher}. */
export function cloudStackPublisher(context: PlatformContext, client: CloudStackClient, target: CloudStackTarget, makeTransport: MakeTransport): Publisher {
  const transfers = new Transfers(context, client, makeTransport, target.trust);
  /** Tags belong to a template, which zones share: two that set them at once would meet. */
  const tagging = new KeyedQueue();
  return {
    plan: (image, size, wish, machine) => planPublication(client, target, image, size, wish, machine),
    upload: (place, _image, disk, span) => transfers.bring(place, disk, span),
    // It is a template as soon as it is there; what is left is to say whose it is.
    async importImage(place) {
      const facts = factsOf(place);
      await needReady(client, place);
      await tagging.run([groupKey(facts)], () => ensureTags(client, facts, facts.tags));
    },
    validate: (place, image, options) => tryOut(context, client, place, image, options),
    seal: (place) => needReady(client, place),
    // The file that was served or uploaded is the template itself.
    dropUpload: () => Promise.resolve(),
    async setCurrent(place, current) {
      const facts = factsOf(place);
      // Zones share the template: all but the first find it done.
      if (await isAsCurrent(client, place, current)) return;
      await ensureTags(client, facts, current ? { [CURRENT_TAG]: 'true' } : {}, current ? [] : [CURRENT_TAG]);
      await ensureVisibility(client, facts, current ? facts.visibility : 'private');
    },
    intact: async (place) => (await rowOf(client, factsOf(place)))?.isready === true,
    drift: (place, current) => driftOf(client, factsOf(place), current),
    like(place) {
      const { hypervisor, name, transfer } = factsOf(place);
      return { hypervisor, namePattern: name, transfer: transfer.kind === 'serve' ? { ...transfer, address: servedAt(transfer) } : transfer };
    },
    async without(place, gone) {
      const { id } = factsOf(gone).zone;
      await place.record({ group: factsOf(place).group.filter((zone) => zone.id !== id) });
    },
    users: (place) => usersOf(client, place),
    remove: (place) => removeAll(client.undoing(), place),
    describe(place) {
      const { template, name, zone, hypervisor } = factsOf(place);
      return template?.id === undefined ? `nothing yet in ${zone.name}` : `template ${name} (${template.id}) for ${hypervisor} in ${zone.name}`;
    },
  };
}

/** As one writes where files are served. */
function servedAt({ address, port }: Extract<PlaceFacts['transfer'], { kind: 'serve' }>): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return port === undefined ? host : `${host}:${port}`;
}

async function isAsCurrent(client: CloudStackClient, place: Place, current: boolean): Promise<boolean> {
  const facts = factsOf(place);
  const row = await rowOf(client, facts);
  if (row === undefined) return false;
  const visibility = current ? facts.visibility : 'private';
  const [open, featured] = [visibility !== 'private', visibility === 'featured'];
  return row.ispublic === open && row.isfeatured === featured && (tagsOf(row)[CURRENT_TAG] === 'true') === current;
}

async function needReady(client: CloudStackClient, place: Place): Promise<void> {
  const facts = factsOf(place);
  const row = await rowOf(client, facts);
  if (row?.isready === true) return await place.record({ template: { id: row.id } });
  throw new IngotError(
    'not-found',
    'template-gone',
    `The template ${facts.name} is ${row === undefined ? 'gone from' : 'no longer ready in'} ${facts.zone.name}`,
    {
      hint: 'Remove the publication, then publish the image again.',
    },
  );
}

/** Instances keep their disks when a template goes; they cannot be installed anew, so the server refuses unless it is forced. */
async function usersOf(client: CloudStackClient, place: Place): Promise<LineageVm[]> {
  const { zone, trial } = factsOf(place);
  const row = await rowOf(client, factsOf(place));
  if (row === undefined) return [];
  const vms = await client.all(REQUESTS.vms({ templateid: row.id, zoneid: zone.id }));
  return vms
    .filter(({ state, name }) => !['Destroyed', 'Expunging'].includes(state) && name !== trial?.name)
    .map(({ id, name, displayname }) => ({ id, name: displayname ?? name, place: zone.name, link: 'source' }));
}

async function removeAll(client: CloudStackClient, place: Place): Promise<void> {
  await removeTrial(client, place);
  // Whether instances stand on it was asked before: who comes here wants it gone.
  await removeFromZone(client, factsOf(place), { forced: true });
  await place.record({ template: undefined });
}
