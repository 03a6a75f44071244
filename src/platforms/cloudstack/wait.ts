import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { formatSize } from '../../base/types.ts';
import type { CsTemplate } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import type { PlaceFacts } from './facts.ts';
import type { ImageServer } from './image-server.ts';
import { listZones, viewZone, zoneTroubles } from './probe.ts';
import { rowOf } from './templates.ts';

/** Seconds between questions, without progress until one gives up, and for a row to appear. */
const [FIRST_PAUSE, LONGEST_PAUSE, SILENCE_LIMIT, ABSENCE_LIMIT] = [2, 10, 900, 60];
/** Seconds for the end of an upload to be noticed: the server looks every minute. */
export const NOTICE_LIMIT = 300;

/** What comes to a zone: a template, or an ISO. */
export interface Arrival {
  readonly name: string;
  readonly zone: PlaceFacts['zone'];
  /** Where it is fetched from. */
  readonly transfer: PlaceFacts['transfer'];
  /** What the server says of it in that zone; nothing where it is not there. */
  row(): Promise<ArrivingRow | undefined>;
}
export type ArrivingRow = Pick<CsTemplate, 'isready' | 'status' | 'downloaddetails'>;

export interface WaitOptions {
  readonly span?: Span | undefined;
  /** Where the file is fetched from here: what has been asked of it. */
  readonly server?: ImageServer | undefined;
  /** Seconds without progress; default fifteen minutes. */
  readonly silence?: number | undefined;
}

/** {@link waitArrived} for the template of a place. */
export async function waitReady(client: CloudStackClient, facts: PlaceFacts, options: WaitOptions): Promise<void> {
  await waitArrived(client, { ...facts, row: () => rowOf(client, facts) }, options);
}

/**
 * Waits until something is ready in a zone, and tells how far it is. It may take as long as it makes progress. Throws `download-failed`, `download-stalled` and
 * `zone-takes-nothing`, each with what is seen of the cause.
 */
export async function waitArrived(client: CloudStackClient, facts: Arrival, options: WaitOptions): Promise<void> {
  const { clock } = client.host;
  const { span, server, silence = SILENCE_LIMIT } = options;
  const start = clock.monotonic();
  let [heard, seen, pause] = [start, '', FIRST_PAUSE];
  for (;;) {
    const row = await facts.row();
    if (row?.isready === true) return;
    const now = clock.monotonic();
    if (row === undefined && (now - start) / 1000 > ABSENCE_LIMIT) throw await takesNothing(client, facts);
    if (row !== undefined && hasFailed(row)) throw await failed(client, facts, row, server);
    const percent = row === undefined ? undefined : percentOf(row);
    if (percent !== undefined) span?.progress(percent, 100, 'items', '%');
    const progress = `${percent ?? ''} ${server?.seen.bytes ?? ''} ${row === undefined}`;
    if (progress !== seen) [heard, seen] = [now, progress];
    const silent = (now - heard) / 1000;
    if (silent > silence) throw await stalled(client, facts, row, Math.round(silent), server);
    await clock.sleep(pause, client.signal);
    pause = Math.min(pause * 1.5, LONGEST_PAUSE);
  }
}

/** How far a download is, of the slowest of its stores. */
function percentOf({ downloaddetails }: ArrivingRow): number | undefined {
  const all = downloaddetails
    .flatMap(({ downloadPercent }) => (downloadPercent === undefined ? [] : [Number(downloadPercent)]))
    .filter((value) => !Number.isNaN(value));
  return all.length === 0 ? undefined : Math.min(...all);
}

/** The state of a download is one of a few words; the status is a text for people. */
function hasFailed({ downloaddetails }: ArrivingRow): boolean {
  return downloaddetails.some(({ downloadState }) => downloadState === 'DOWNLOAD_ERROR' || downloadState === 'ABANDONED');
}

async function failed(client: CloudStackClient, facts: Arrival, row: ArrivingRow, server: ImageServer | undefined): Promise<IngotError> {
  const status = row.status ?? 'it does not say why';
  const wrongBytes = /checksum/i.test(status);
  return new IngotError(
    wrongBytes ? 'verification' : 'upstream',
    'download-failed',
    `The zone ${facts.zone.name} could not take ${facts.name}: ${status.replace(/[.\s]+$/, '')}`,
    {
      detail: (await evidence(client, facts, server)).join('\n'),
      hint: wrongBytes
        ? 'What arrived is not what was sent: a proxy in between may have changed it. Run it again.'
        : 'Run it again once the cause is gone; `ingot target check` looks at the zone.',
    },
  );
}

async function stalled(
  client: CloudStackClient,
  facts: Arrival,
  row: ArrivingRow | undefined,
  seconds: number,
  server: ImageServer | undefined,
): Promise<IngotError> {
  const percent = row === undefined ? undefined : percentOf(row);
  const at = percent === undefined ? '' : ` at ${percent} %`;
  const status = row?.status === undefined || row.status === '' ? [] : [`CloudStack says: ${row.status}`];
  return new IngotError('timeout', 'download-stalled', `${facts.name} has made no progress in the zone ${facts.zone.name} for ${seconds} s${at}`, {
    detail: [...status, ...(await evidence(client, facts, server))].join('\n'),
    hint: 'Mend what is named, then run the same command again; --transfer upload sends the file from here instead.',
  });
}

/** A zone that takes nothing is passed over by the server, with a line in its log and no word to us. */
export async function takesNothing(client: CloudStackClient, facts: Omit<Arrival, 'row'>): Promise<IngotError> {
  return new IngotError('upstream', 'zone-takes-nothing', `The zone ${facts.zone.name} takes no template, and the server does not say why`, {
    detail: (await evidence(client, facts, undefined)).join('\n'),
    hint: 'A zone that is disabled, or whose secondary storage is full or missing, is passed over: `ingot target check` looks at it.',
  });
}

/** What one sees that may be the cause. */
async function evidence(client: CloudStackClient, { zone, transfer }: Omit<Arrival, 'row'>, server: ImageServer | undefined): Promise<string[]> {
  const found = (await listZones(client)).find(({ id }) => id === zone.id);
  const troubles =
    found === undefined
      ? [`the zone ${zone.name} is gone, or not seen by this user`]
      : zoneTroubles(await viewZone(client, found)).map(({ what, remedy }) => `${what}. ${remedy}`);
  if (server === undefined) return troubles.length > 0 ? troubles : ['nothing is seen to be wrong with the zone'];
  const { requests, bytes, clients } = server.seen;
  const asked =
    requests === 0
      ? `nobody has asked this host for the file: secondary storage VMs do not reach ${transfer.kind === 'serve' ? transfer.address : 'it'}, or may not (a firewall; secstorage.allowed.internal.sites)`
      : `this host was asked for the file ${requests} times by ${[...clients].join(', ')}, and has sent ${formatSize(bytes)}`;
  return [...troubles, asked];
}
