import { IngotError, nearest } from '../../base/errors.ts';
import { targetReference } from '../platform.ts';
import type { FetchableTemplate } from '../remote-templates.ts';
import { extractSchema, oneOf, type CsTemplate } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { listZones, zonesNamed } from './probe.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';

/** How often the address is asked for, where the answer with it was lost. */
const ATTEMPTS = 3;

const answerSchema = oneOf('template', extractSchema);

/** Lets the secondary storage VM of a zone serve a template; each word is told in `RemoteTemplates`. */
export async function openTemplate(client: CloudStackClient, target: CloudStackTarget, name: string, place: string | undefined): Promise<FetchableTemplate> {
  const row = await chosenRow(client, target, name, place);
  const { id, zoneid = '', zonename = zoneid } = row;
  return {
    name: row.name,
    id,
    place: zonename,
    format: row.format ?? '',
    url: await addressOf(client, row, zoneid, zonename),
    hint: `Can this host reach the secondary storage VM of ${zonename}? With HTTPS, its certificate has to be vouched for (Infrastructure, SSL certificate).`,
  };
}

async function addressOf(client: CloudStackClient, { id, name, isextractable }: CsTemplate, zoneid: string, zone: string): Promise<string> {
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      // It does no harm twice, and only the job itself says the address.
      const { result } = await client.work(REQUESTS.extractTemplate(id, zoneid), { what: `opening ${name} in ${zone}`, look: () => Promise.resolve(true) });
      if (result === undefined) continue;
      const { url, resultstring } = answerSchema.safeParse(result).data ?? {};
      if (url !== undefined && URL.canParse(url)) return url;
      throw new IngotError('upstream', 'template-closed', `CloudStack gives no address of ${name}${resultstring === undefined ? '' : `: ${resultstring}`}`, {
        hint: 'Its secondary storage VM has to be up: `ingot target check` looks at it.',
      });
    }
  } catch (error) {
    if (!(error instanceof IngotError) || isextractable !== false || !['parameter-refused', 'permission-missing'].includes(error.code)) throw error;
    throw new IngotError('conflict', 'template-locked', `The template ${name} may not be downloaded`, {
      cause: error,
      hint: 'Its owner or an administrator makes it extractable (Images, Templates, Edit).',
    });
  }
  throw new IngotError('upstream', 'connection-lost', `The address of ${name} was lost on the way each time`, { hint: 'Run it again.' });
}

/** The row of a template that is ready: in the zone that is asked for, else in the first that has it. */
async function chosenRow(client: CloudStackClient, target: CloudStackTarget, wanted: string, place: string | undefined): Promise<CsTemplate> {
  const [zone] = place === undefined ? [] : zonesNamed(await listZones(client), [place]);
  const all = await client.all(REQUESTS.usableTemplates(zone?.id));
  const found = all.filter(({ name, id, isready, zoneid }) => (name === wanted || id === wanted) && isready && zoneid !== undefined);
  const ids = [...new Set(found.map(({ id }) => id))];
  const [row] = found;
  const on = `${targetReference(target)}${zone === undefined ? '' : ` in ${zone.name}`}`;
  if (ids.length > 1) {
    throw new IngotError('conflict', 'template-ambiguous', `${on} has ${ids.length} templates named ${wanted}`, {
      hint: `Name it by its identifier: ${ids.map((id) => `${id} (${found.find((one) => one.id === id)?.displaytext ?? 'without a text'})`).join(', ')}.`,
    });
  }
  if (row !== undefined) return row;
  const near = nearest(
    wanted,
    all.map(({ name }) => name),
  );
  throw new IngotError('not-found', 'template-unknown', `${on} has no template ${wanted} that is ready`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'The web interface lists them under Images, Templates; ISO images are no templates.',
  });
}
