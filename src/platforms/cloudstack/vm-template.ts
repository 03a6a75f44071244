import { IngotError } from '../../base/errors.ts';
import type { RemoteTemplate, RemoteVm } from '../remote-vms.ts';
import type { CsDiskSnapshot, CsTemplate, CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { chooseOsType } from './os-types.ts';
import { REQUESTS, type InstanceTemplate } from './requests.ts';
import { snapshotName, wholeSnapshots } from './vm-snapshots.ts';
import { existingInstance } from './vm-view.ts';

export interface TemplateWish {
  readonly name: string;
  readonly snapshot?: string | undefined;
  readonly osType?: string | undefined;
}

/** Seconds for a template that is being made to be there, after its job has ended or nobody knows of it any more, and between questions. */
const [ARRIVAL_LIMIT, PAUSE] = [900, 5];

/**
 * Makes a template of the root disk of an instance that is off, or of that disk as it was in a snapshot. What a cut one has left half made is waited for, or
 * removed. Throws `vm-running`, `template-exists`, `snapshot-unknown`, `os-type-unknown`.
 */
export async function makeTemplate(client: CloudStackClient, vm: RemoteVm, wish: TemplateWish): Promise<RemoteTemplate> {
  const found = await existingInstance(client, vm);
  const text = originText(vm, wish.snapshot);
  const cut = await leftOver(client, wish.name, text);
  if (cut !== undefined) return cut;
  if (wish.snapshot === undefined && found.state !== 'Stopped') {
    throw new IngotError('conflict', 'vm-running', `${vm.name} on ${vm.on} is running, and its disk changes while it is`, {
      hint: `Stop it (\`ingot vm stop ${vm.name} --on ${vm.on}\`), or take one of its snapshots with --snapshot.`,
    });
  }
  const ostypeid = await osTypeOf(client, found, wish);
  const volumeid = await rootVolume(client, vm);
  await using undo = new AsyncDisposableStack();
  const source = wish.snapshot === undefined ? { volumeid } : { snapshotid: await diskSnapshot(client, undo, vm, volumeid, wish.snapshot) };
  return await create(client, {
    name: wish.name,
    displaytext: text,
    ostypeid,
    passwordenabled: found.passwordenabled,
    sshkeyenabled: (found.keypairs ?? '') !== '',
    requireshvm: true,
    ...source,
  });
}

/** What stands under a template's name, and says what it was made of: by this a cut one is known again. */
function originText({ name, id, on }: RemoteVm, snapshot: string | undefined): string {
  return `Made by ingot of ${snapshot === undefined ? '' : `the snapshot ${snapshot} of `}${name} on ${on} (${id})`;
}

async function create(client: CloudStackClient, template: InstanceTemplate): Promise<RemoteTemplate> {
  const { name, displaytext } = template;
  try {
    const { value } = await client.work(REQUESTS.createTemplate(template), {
      what: `making the template ${name}`,
      look: () => arrived(client, name, displaytext),
    });
    return value;
  } catch (error) {
    // After Ctrl-C the server goes on with it, and the next run finds it.
    if (error instanceof IngotError && error.class !== 'interrupted') await removeUnready(client.undoing(), name, displaytext);
    throw error;
  }
}

/** The template of a cut run, once it is whole; nothing where there is none of that name. Throws `template-exists`. */
async function leftOver(client: CloudStackClient, name: string, text: string): Promise<RemoteTemplate | undefined> {
  const [row] = await rowsNamed(client, name);
  if (row === undefined) return undefined;
  if (row.isready || row.displaytext !== text) {
    throw new IngotError('conflict', 'template-exists', `There is a template ${name} already${row.displaytext === undefined ? '' : `: ${row.displaytext}`}`, {
      hint: 'Choose another name with --as, or delete that one in the web interface.',
    });
  }
  client.events.message('info', `${name} is being made already; waiting for it`);
  return await arrived(client, name, text);
}

/** The template once it is ready. One that does not become so is removed, so that it can be tried again. */
async function arrived(client: CloudStackClient, name: string, text: string): Promise<RemoteTemplate | undefined> {
  const { clock } = client.host;
  const start = clock.monotonic();
  for (;;) {
    const row = (await rowsNamed(client, name)).find(({ displaytext }) => displaytext === text);
    if (row === undefined) return undefined;
    if (row.isready) return { name, id: row.id, place: row.zonename ?? row.zoneid ?? '' };
    if ((clock.monotonic() - start) / 1000 > ARRIVAL_LIMIT) {
      await removeUnready(client, name, text);
      return undefined;
    }
    await clock.sleep(PAUSE, client.signal);
  }
}

async function removeUnready(client: CloudStackClient, name: string, text: string): Promise<void> {
  const left = async (): Promise<CsTemplate | undefined> =>
    (await rowsNamed(client, name)).find(({ displaytext, isready }) => displaytext === text && !isready);
  const row = await left();
  if (row?.zoneid === undefined) return;
  const gone = async (): Promise<true | undefined> => ((await left()) === undefined ? true : undefined);
  await client.work(REQUESTS.deleteTemplate(row.id, row.zoneid, false), { what: `removing the template ${name}, which is half made`, look: gone });
}

/** Names are found by their parts too. */
async function rowsNamed(client: CloudStackClient, name: string): Promise<CsTemplate[]> {
  return (await client.all(REQUESTS.templates({ name }))).filter((row) => row.name === name);
}

async function osTypeOf(client: CloudStackClient, { guestosid, name }: CsVm, { osType }: TemplateWish): Promise<string> {
  if (osType !== undefined) return chooseOsType(await client.all(REQUESTS.osTypes()), '', osType).id;
  if (guestosid !== undefined) return guestosid;
  throw new IngotError('usage', 'os-type-unknown', `CloudStack does not say which OS type ${name} has`, { hint: 'Name it with --os-type.' });
}

async function rootVolume(client: CloudStackClient, vm: RemoteVm): Promise<string> {
  const [volume] = await client.all(REQUESTS.rootVolumes(vm.id));
  if (volume !== undefined) return volume.id;
  throw new IngotError('conflict', 'volume-missing', `${vm.name} on ${vm.on} has no root disk: it has never been started`, {
    hint: `Start it once: \`ingot vm start ${vm.name} --on ${vm.on}\`.`,
  });
}

/**
 * The snapshot of the disk: of the name that `vm snapshot list` shows, which is of the whole instance, so one of its disk is made and removed again; else of
 * a snapshot of the disk alone, as the web interface makes them. Throws `snapshot-unknown`.
 */
async function diskSnapshot(client: CloudStackClient, undo: AsyncDisposableStack, vm: RemoteVm, volumeid: string, wanted: string): Promise<string> {
  const whole = await wholeSnapshots(client, vm);
  const disks = (await client.all(REQUESTS.diskSnapshots(volumeid))).filter(({ state }) => state === undefined || state === 'BackedUp');
  const of = whole.find((one) => snapshotName(one) === wanted);
  if (of !== undefined) return await copiedSnapshot(client, undo, vm, volumeid, { id: of.id, name: wanted });
  const found = disks.filter(({ id, name }) => name === wanted || id === wanted);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.id;
  if (found.length > 1) {
    throw new IngotError('conflict', 'snapshot-ambiguous', `${vm.name} has ${found.length} snapshots of its disk named ${wanted}`, {
      hint: `Name it by its identifier: ${found.map(({ id }) => id).join(', ')}.`,
    });
  }
  const names = [...whole.map(snapshotName), ...disks.map(({ name, id }) => name ?? id)];
  throw new IngotError('not-found', 'snapshot-unknown', `${vm.name} has no snapshot ${wanted}`, {
    hint: names.length === 0 ? 'It has none.' : `It has ${names.join(', ')}.`,
  });
}

async function copiedSnapshot(
  client: CloudStackClient,
  undo: AsyncDisposableStack,
  vm: RemoteVm,
  volumeid: string,
  snapshot: { readonly id: string; readonly name: string },
): Promise<string> {
  const name = `ingot-template-${snapshot.id}`;
  const named = async (by: CloudStackClient): Promise<CsDiskSnapshot[]> => (await by.all(REQUESTS.diskSnapshots(volumeid))).filter((one) => one.name === name);
  // After Ctrl-C too, and where only the answer was lost.
  undo.defer(async () => {
    const undoing = client.undoing();
    for (const { id } of await named(undoing)) {
      const gone = async (): Promise<true | undefined> => ((await named(undoing)).some((one) => one.id === id) ? undefined : true);
      await undoing.work(REQUESTS.deleteDiskSnapshot(id), { what: `removing the copy of the snapshot ${snapshot.name}`, look: gone });
    }
  });
  const copied = (): Promise<string | undefined> => settledCopy(client, () => named(client));
  // That of a cut run is as good.
  const before = await copied();
  if (before !== undefined) return before;
  const what = `copying the disk of ${vm.name} as it was in ${snapshot.name}`;
  return (await client.work(REQUESTS.createDiskSnapshot(snapshot.id, volumeid, name), { what, look: copied })).value;
}

/** A copy once it is whole; nothing where there is none, or none that becomes so. */
async function settledCopy(client: CloudStackClient, named: () => Promise<CsDiskSnapshot[]>): Promise<string | undefined> {
  const { clock } = client.host;
  const start = clock.monotonic();
  for (;;) {
    const all = await named();
    const whole = all.find(({ state }) => state === 'BackedUp');
    if (whole !== undefined) return whole.id;
    const waited = (clock.monotonic() - start) / 1000;
    if (all.every(({ state }) => state === 'Error') || waited > ARRIVAL_LIMIT) return undefined;
    await clock.sleep(PAUSE, client.signal);
  }
}
