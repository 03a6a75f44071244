import type { Drift } from '../platform.ts';
import type { CloudStackClient } from './client.ts';
import type { PlaceFacts } from './facts.ts';
import { CURRENT_TAG, tagsOf } from './marks.ts';
import { rowOf } from './templates.ts';

/** What the cloud has in a zone otherwise than it was published. */
export async function driftOf(client: CloudStackClient, facts: PlaceFacts, current: boolean): Promise<Drift[]> {
  const row = await rowOf(client, facts);
  if (row === undefined) return [{ what: 'template', published: facts.name, found: 'gone' }];
  const visibility = row.isfeatured ? 'featured' : row.ispublic ? 'public' : 'private';
  const tags = tagsOf(row);
  const compared: readonly (readonly [string, string, string])[] = [
    ['template', 'ready', row.isready ? 'ready' : (row.status ?? 'not ready')],
    ['name', facts.name, row.name],
    ['text', facts.displaytext, row.displaytext ?? ''],
    ['format', facts.format, row.format ?? facts.format],
    ['OS type', facts.osType.description, row.ostypename ?? facts.osType.description],
    ['passwords', String(facts.passwordEnabled), String(row.passwordenabled)],
    ['visibility', current ? facts.visibility : 'private', visibility],
    [`tag ${CURRENT_TAG}`, current ? 'true' : '(none)', tags[CURRENT_TAG] ?? '(none)'],
    ...Object.entries(facts.tags).map(([key, value]) => [`tag ${key}`, value, tags[key] ?? '(none)'] as const),
    ...Object.entries(facts.details).map(([key, value]) => [`detail ${key}`, value, String(row.details?.[key] ?? '(none)')] as const),
  ];
  return compared.filter(([, published, found]) => published !== found).map(([what, published, found]) => ({ what, published, found }));
}
