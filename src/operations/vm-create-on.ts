import type * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Name } from '../base/types.ts';
import { ensureSshKey } from '../platforms/local/ssh.ts';
import type { MachineWish } from '../platforms/platform.ts';
import type { RemoteVm, TemplateOf } from '../platforms/remote-vms.ts';
import { listPublications } from '../publish/journal.ts';
import { findTarget } from '../publish/targets.ts';
import { targetReference } from '../platforms/platform.ts';
import type { Context } from './operation.ts';
import { imageFor } from './vm-create-image.ts';
import type { Machine } from './vm-create-input.ts';
import type { placeSchema } from './vm-create-place.ts';
import { readCloudInitFiles, readSshKeys } from './vm-login.ts';
import { onTarget } from './vm-on.ts';

export interface CreateOn extends Omit<z.output<typeof placeSchema>, 'on'> {
  readonly on: string;
  readonly machine: Machine;
  /** Those that were asked for; the others are the template's. */
  readonly asked: { readonly cpus?: number | undefined; readonly memory?: number | undefined; readonly disk?: number | undefined };
  /** Files with public keys. */
  readonly sshKey: readonly string[];
  readonly start: boolean;
  /** Files for cloud-init. */
  readonly userData?: string | undefined;
  readonly networkConfig?: string | undefined;
  readonly vendorData?: string | undefined;
}

/** Makes VMs on a target, all of them or, where one fails, those that are there already stay. Throws `publication-unknown`, `vm-exists`. */
export async function createOn(context: Context, names: readonly Name[], wish: CreateOn): Promise<RemoteVm[]> {
  const template = await templateFor(context, wish);
  const key = await ensureSshKey(context.host, context.home);
  const machine: MachineWish = {
    cpus: wish.asked.cpus,
    memory: wish.asked.memory === undefined ? undefined : Math.ceil(wish.asked.memory / 2 ** 20),
    bridge: wish.bridge,
    vlan: wish.vlan,
    ip: wish.ip,
    gateway: wish.gateway,
    nameserver: wish.nameserver,
    sshKeys: [key.publicKey, ...(await readSshKeys(context.host, wish.sshKey))],
  };
  const { place, full, start, userData, networkConfig, vendorData } = wish;
  const ownFiles = [userData, networkConfig, vendorData].some((file) => file !== undefined);
  const seed = ownFiles ? await readCloudInitFiles(context.host, { userData, networkConfig, vendorData }) : undefined;
  return await onTarget(context, wish.on, `Making ${names.join(', ')} on ${wish.on}`, (vms, span) =>
    Promise.all(
      names.map((name) => {
        const one = names.length === 1 ? span : span.child('stage', name);
        return vms.create({ name, template, machine, disk: wish.asked.disk, seed, place, full, start, span: one });
      }),
    ),
  );
}

/** The template that an image is on a target: the current publication of that name, or the one of the very image where a tag or digest is given. */
export async function templateFor(context: Context, { on, machine }: Pick<CreateOn, 'on' | 'machine'>): Promise<TemplateOf> {
  const target = targetReference(await findTarget(context, on));
  const image = machine.image ?? (await imageFor(context, machine, { build: false }));
  const all = (await listPublications(context)).filter((one) => one.target === target && (one.state === 'current' || one.state === 'validated'));
  const name = image.split(/[:@]/)[0] ?? image;
  const named = all.filter((one) => one.image.name === name);
  const chosen =
    image === name
      ? (named.find(({ state }) => state === 'current') ?? named[0])
      : named.find((one) => one.image.reference === image || image.endsWith(`@${one.image.digest}`));
  if (chosen !== undefined) {
    return { publication: chosen.id, reference: chosen.image.reference, places: chosen.places.map(({ id, facts }) => ({ id, facts })) };
  }
  throw new IngotError('not-found', 'publication-unknown', `${image} is not published to ${target}`, {
    hint:
      named.length > 0
        ? `There is ${named.map((one) => one.image.reference).join(', ')}.`
        : `\`ingot publish ${image} --to ${target}\` makes a template of it there.`,
  });
}
