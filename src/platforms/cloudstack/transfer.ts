import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { openSecrets } from '../../base/secrets.ts';
import { KeyedQueue } from '../keyed-queue.ts';
import type { ExportedDisk, Place, PlatformContext } from '../platform.ts';
import type { Trust } from '../trust.ts';
import type { CloudStackClient } from './client.ts';
import { factsOf, groupKey, type PlaceFacts } from './facts.ts';
import { serveImage, type ImageServer } from './image-server.ts';
import type { MakeTransport } from './open.ts';
import { REQUESTS } from './requests.ts';
import { newTemplate, removeFromZone, rowOf, rowsOf } from './templates.ts';
import { sendUpload } from './upload.ts';
import { NOTICE_LIMIT, takesNothing, waitReady } from './wait.ts';

/** How often an upload is begun in a zone: each has a record of its own. */
const UPLOAD_ATTEMPTS = 2;
const PAUSE = 5;

/** The template of a group of zones, once it is registered. */
interface Prepared {
  /** Registered just now, for all zones of the group: what is missing then was passed over. */
  readonly fresh: boolean;
  readonly server: ImageServer | undefined;
  /** The server, and the turn at its port, until the last zone has it. */
  readonly held?: AsyncDisposable;
  /** Zones to which an upload was tried, and failed. */
  readonly failures: ReadonlyMap<string, unknown>;
}

interface Group {
  readonly prepared: Promise<Prepared>;
  /** Zones that still wait for it. */
  users: number;
}

type MakeDisk = () => Promise<ExportedDisk>;

/**
 * Brings the file of a publication to its zones. Those with the same hypervisor share one template, so the first that comes registers it for all, and the
 * image server ends when the last of them has it.
 */
export class Transfers {
  readonly #context: PlatformContext;
  readonly #client: CloudStackClient;
  readonly #makeTransport: MakeTransport;
  readonly #trust: Trust;
  readonly #groups = new Map<string, Group>();
  readonly #ports = new KeyedQueue();

  constructor(context: PlatformContext, client: CloudStackClient, makeTransport: MakeTransport, trust: Trust) {
    this.#context = context;
    this.#client = client;
    this.#makeTransport = makeTransport;
    this.#trust = trust;
  }

  /** Returns when the template is ready in the zone of a place. What was half done there is removed when it fails, and the other zones go on. */
  async bring(place: Place, disk: MakeDisk, span: Span | undefined): Promise<void> {
    const facts = factsOf(place);
    if ((await rowOf(this.#client, facts))?.isready === true) return;
    const key = groupKey(facts);
    // What may be made stands in the journal before it is.
    await place.record({ template: facts.template ?? {} });
    const group = this.#groups.get(key) ?? { prepared: this.#prepare(facts, disk, span), users: 0 };
    this.#groups.set(key, group);
    group.users += 1;
    try {
      const prepared = await group.prepared;
      if (prepared.failures.has(facts.zone.id)) throw prepared.failures.get(facts.zone.id);
      const [row] = await rowsOf(this.#client, facts);
      if (row !== undefined) await place.record({ template: { id: row.id } });
      await this.#arrive(factsOf(place), prepared, span);
    } catch (error) {
      await this.#undo(place);
      throw error;
    } finally {
      group.users -= 1;
      if (group.users === 0) {
        this.#groups.delete(key);
        await (await group.prepared.catch(() => undefined))?.held?.[Symbol.asyncDispose]();
      }
    }
  }

  async #arrive(facts: PlaceFacts, { fresh, server }: Prepared, span: Span | undefined): Promise<void> {
    if (!fresh && (await rowOf(this.#client, facts)) === undefined) await this.#copyHere(facts);
    await waitReady(this.#client, facts, { span, server });
  }

  /** Removes what is half there from this zone alone. Where the server cannot be reached, the journal still names it, and the next run removes it. */
  async #undo(place: Place): Promise<void> {
    const facts = factsOf(place);
    const client = this.#client.undoing();
    try {
      const row = await rowOf(client, facts);
      if (row?.isready === false) await removeFromZone(client, facts, { forced: false });
    } catch (error) {
      if (!(error instanceof IngotError)) throw error;
      client.events.message('warn', `What is half made in ${facts.zone.name} could not be removed now (${error.message}); running the command again does`);
    }
  }

  /** What an earlier run has left is gone on with where it can be: a row whose bytes come from nowhere any more is removed first. */
  async #prepare(facts: PlaceFacts, disk: MakeDisk, span: Span | undefined): Promise<Prepared> {
    const client = this.#client;
    const { transfer } = facts;
    const rows = await rowsOf(client, facts);
    const dead = transfer.kind === 'url' ? [] : rows.filter(({ isready }) => !isready);
    for (const row of dead) {
      await removeFromZone(
        client,
        { ...facts, template: { id: row.id }, zone: { id: row.zoneid ?? '', name: row.zonename ?? row.zoneid ?? '' } },
        { forced: false },
      );
    }
    if (rows.length > dead.length) return { fresh: false, server: undefined, failures: new Map() };
    if (transfer.kind === 'upload') return await this.#uploadTo(facts, await disk(), span);
    if (transfer.kind === 'url') {
      await this.#register(facts, transfer.url, transfer.sha256);
      return { fresh: true, server: undefined, failures: new Map() };
    }
    await using undo = new AsyncDisposableStack();
    // A port that was named is that of one server at a time; without one, each takes its own.
    undo.use(await this.#ports.take(transfer.port === undefined ? [] : [String(transfer.port)]));
    const file = await disk();
    const server = undo.use(await this.#serve(facts, transfer, file));
    this.#context.events.message('info', `The image is served at ${server.url} until every zone has it`);
    await this.#register(facts, server.url, file.sha256);
    return { fresh: true, server, held: undo.move(), failures: new Map() };
  }

  async #serve({ filename }: PlaceFacts, { address, port, tls }: Extract<PlaceFacts['transfer'], { kind: 'serve' }>, file: ExportedDisk): Promise<ImageServer> {
    const { host } = this.#context;
    // Both stand in one text: a parser of PEM takes what is meant for it.
    const pem = tls === undefined ? undefined : await openSecrets(this.#context).value(tls);
    return await serveImage(file, { address, port, filename, random: host.random, tls: pem === undefined ? undefined : { certificate: pem, key: pem } });
  }

  async #register(facts: PlaceFacts, url: string, sha256: string): Promise<void> {
    const client = this.#client;
    const request = REQUESTS.registerTemplate({ ...newTemplate(facts, sha256), url, zoneids: facts.group.map(({ id }) => id) });
    try {
      await client.change(request, { what: `registering ${facts.name}`, look: async () => ((await rowsOf(client, facts)).length > 0 ? true : undefined) });
    } catch (error) {
      if (error instanceof IngotError && error.code === 'work-without-effect') throw await takesNothing(client, facts);
      throw error;
    }
  }

  /** Uploads to the first zone that takes it; from there CloudStack copies it to the others. */
  async #uploadTo(facts: PlaceFacts, disk: ExportedDisk, span: Span | undefined): Promise<Prepared> {
    const failures = new Map<string, unknown>();
    for (const zone of facts.group) {
      try {
        await this.#uploadOnce({ ...facts, zone }, disk, span);
        return { fresh: false, server: undefined, failures };
      } catch (error) {
        if (!(error instanceof IngotError) || error.class === 'interrupted') throw error;
        failures.set(zone.id, error);
      }
    }
    throw failures.get(facts.zone.id) ?? new IngotError('internal', 'zones-missing', 'There is no zone to upload to');
  }

  async #uploadOnce(facts: PlaceFacts, disk: ExportedDisk, span: Span | undefined): Promise<void> {
    const client = this.#client;
    for (let attempt = 1; ; attempt += 1) {
      // A record without its bytes stays for ever: it is removed however this ends.
      await using undo = new AsyncDisposableStack();
      undo.defer(() => removeUnready(client.undoing(), facts));
      const to = await client.call(REQUESTS.uploadParameters({ ...newTemplate(facts, disk.sha256), zoneid: facts.zone.id }));
      let lost: IngotError | undefined;
      try {
        await sendUpload(client, to, disk, { filename: facts.filename, trust: this.#trust, makeTransport: this.#makeTransport, span });
      } catch (error) {
        if (!(error instanceof IngotError) || error.code !== 'connection-lost') throw error;
        // Connections have been seen to break when all was there.
        lost = error;
        client.events.message('warn', `${error.message}; looking up whether the file has arrived`);
      }
      try {
        await waitReady(client, facts, { span, silence: lost === undefined ? undefined : NOTICE_LIMIT });
        undo.move();
        return;
      } catch (error) {
        if (lost === undefined || attempt >= UPLOAD_ATTEMPTS || !(error instanceof IngotError) || error.code !== 'download-stalled') throw error;
      }
    }
  }

  /** Brings it to a zone that came later, or lost it: from another one that has it, or gets it now. */
  async #copyHere(facts: PlaceFacts): Promise<void> {
    const client = this.#client;
    for (;;) {
      const rows = await rowsOf(client, facts);
      const source = rows.find(({ isready }) => isready);
      if (source?.zoneid !== undefined) {
        await client.work(REQUESTS.copyTemplate(source.id, source.zoneid, [facts.zone.id]), {
          what: `copying ${facts.name} from ${source.zonename ?? source.zoneid} to ${facts.zone.name}`,
          look: async () => ((await rowOf(client, facts)) === undefined ? undefined : true),
        });
        return;
      }
      if (rows.length === 0) {
        throw new IngotError('conflict', 'template-gone', `No zone has ${facts.name} any more from which it could be copied to ${facts.zone.name}`, {
          hint: 'Run it again: it is registered anew.',
        });
      }
      await client.host.clock.sleep(PAUSE, client.signal);
    }
  }
}

async function removeUnready(client: CloudStackClient, facts: PlaceFacts): Promise<void> {
  const row = await rowOf(client, facts);
  if (row !== undefined && !row.isready) await removeFromZone(client, facts, { forced: false });
}
