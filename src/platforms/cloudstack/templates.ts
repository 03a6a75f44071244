import { IngotError } from '../../base/errors.ts';
import type { CsTemplate } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import type { PlaceFacts } from './facts.ts';
import { isOf, tagsOf } from './marks.ts';
import { REQUESTS, type NewTemplate } from './requests.ts';

/** What a template is registered with. `sha256`: hexadecimal digits of the file. */
export function newTemplate(facts: PlaceFacts, sha256: string): NewTemplate & { readonly requireshvm: boolean } {
  return {
    name: facts.name,
    displaytext: facts.displaytext,
    format: facts.format,
    hypervisor: facts.hypervisor,
    // Digits alone would be taken for MD5.
    checksum: `{SHA-256}${sha256}`,
    ostypeid: facts.osType.id,
    passwordenabled: facts.passwordEnabled,
    sshkeyenabled: true,
    isdynamicallyscalable: false,
    isextractable: true,
    requireshvm: true,
    details: Object.keys(facts.details).length === 0 ? undefined : facts.details,
    arch: facts.arch,
    forcks: facts.cks,
  };
}

/** Every zone's row of the template of a publication; none where there is no such template. Names are not unique, so marks decide. */
export async function rowsOf(client: CloudStackClient, facts: PlaceFacts): Promise<CsTemplate[]> {
  const { id } = facts.template ?? {};
  const rows = await known(client, facts, id);
  if (rows.length > 0 || id === undefined) return rows;
  // What the journal names is gone: perhaps it was registered again, and that not noted any more.
  return await known(client, facts, undefined);
}

async function known(client: CloudStackClient, facts: PlaceFacts, id: string | undefined): Promise<CsTemplate[]> {
  try {
    const rows = await client.all(REQUESTS.templates(id === undefined ? { name: facts.name } : { id }));
    return rows.filter((row) => isOf(row, facts));
  } catch (error) {
    // An identifier that is gone is an error, not an empty list.
    if (id !== undefined && error instanceof IngotError && error.code === 'remote-missing') return [];
    throw error;
  }
}

/** The row of a place. */
export async function rowOf(client: CloudStackClient, facts: PlaceFacts): Promise<CsTemplate | undefined> {
  return (await rowsOf(client, facts)).find(({ zoneid }) => zoneid === facts.zone.id);
}

/**
 * Removes the template from one zone, and lists it again: of a template that was registered for all zones, the server removes it everywhere, whatever zone was
 * named, and what else it says of it is not to be relied on. Throws `template-in-use`, and `template-vanished` where other zones lost it too.
 */
export async function removeFromZone(client: CloudStackClient, facts: PlaceFacts, options: { readonly forced: boolean }): Promise<void> {
  const before = await rowsOf(client, facts);
  const here = before.find(({ zoneid }) => zoneid === facts.zone.id);
  if (here === undefined) return;
  if (here.crossZones && before.length > 1) {
    throw new IngotError(
      'conflict',
      'template-of-all-zones',
      `${facts.name} was registered for all zones at once: removing it from ${facts.zone.name} would remove it everywhere`,
      {
        hint: 'Remove the publication as a whole.',
      },
    );
  }
  const what = `removing ${facts.name} from ${facts.zone.name}`;
  await client.work(REQUESTS.deleteTemplate(here.id, facts.zone.id, options.forced), {
    what,
    look: async () => ((await rowOf(client, facts)) === undefined ? true : undefined),
  });
  const after = await rowsOf(client, facts);
  const lost = before.filter(({ zoneid }) => zoneid !== facts.zone.id && !after.some((row) => row.zoneid === zoneid));
  if (lost.length > 0) {
    throw new IngotError(
      'upstream',
      'template-vanished',
      `${what} has removed it from ${lost.map(({ zonename, zoneid }) => zonename ?? zoneid ?? '').join(', ')} as well`,
      {
        hint: 'Publish the image again: it is brought there anew.',
      },
    );
  }
}

/** Sets tags as they should be: what is there already is left, since a second one of that name is an error. */
export async function ensureTags(
  client: CloudStackClient,
  facts: PlaceFacts,
  wanted: Readonly<Record<string, string>>,
  unwanted: readonly string[] = [],
): Promise<void> {
  const read = async (): Promise<{ readonly id: string; readonly tags: Record<string, string> }> => {
    const [row] = await rowsOf(client, facts);
    if (row === undefined) throw gone(facts);
    return { id: row.id, tags: tagsOf(row) };
  };
  const { id, tags } = await read();
  const wrong = Object.fromEntries(
    Object.entries(tags).filter(([key, value]) => unwanted.includes(key) || (wanted[key] !== undefined && wanted[key] !== value)),
  );
  const without = async (): Promise<true | undefined> => {
    const now = (await read()).tags;
    return Object.keys(wrong).every((key) => now[key] !== wrong[key]) ? true : undefined;
  };
  if (Object.keys(wrong).length > 0) await client.work(REQUESTS.deleteTags(id, 'Template', wrong), { what: `removing tags of ${facts.name}`, look: without });
  const missing = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => tags[key] !== value));
  const there = async (): Promise<true | undefined> => {
    const now = (await read()).tags;
    return Object.keys(missing).every((key) => now[key] === missing[key]) ? true : undefined;
  };
  if (Object.keys(missing).length > 0) await client.work(REQUESTS.createTags(id, 'Template', missing), { what: `tagging ${facts.name}`, look: there });
}

/** Lets others see it, or no longer; nothing is sent where it is so already. */
export async function ensureVisibility(client: CloudStackClient, facts: PlaceFacts, visibility: PlaceFacts['visibility']): Promise<void> {
  const [open, featured] = [visibility !== 'private', visibility === 'featured'];
  const isSo = async (): Promise<true | undefined> => {
    const [row] = await rowsOf(client, facts);
    if (row === undefined) throw gone(facts);
    return row.ispublic === open && row.isfeatured === featured ? true : undefined;
  };
  if ((await isSo()) === true) return;
  const [row] = await rowsOf(client, facts);
  if (row === undefined) throw gone(facts);
  await client.change(REQUESTS.setPermissions(row.id, open, featured), { what: `making ${facts.name} ${visibility}`, look: isSo });
}

function gone({ name }: PlaceFacts): IngotError {
  return new IngotError('not-found', 'template-gone', `The template ${name} is gone`, { hint: 'Publish the image again: it is made anew.' });
}
