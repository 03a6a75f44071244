import * as z from 'zod';
import { IngotError, nearest } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { removeLeftovers } from '../base/leftovers.ts';
import { takeLock } from '../base/lock.ts';
import { openSecrets, type SecretsAccess } from '../base/secrets.ts';
import { cloudstackTargetSchema } from '../platforms/cloudstack/target.ts';
import { targetReference } from '../platforms/platform.ts';
import { proxmoxTargetSchema } from '../platforms/proxmox/target.ts';

/** The platforms that one can publish to; `local`, the lab, is a target without being declared. */
export const TARGET_PLATFORMS = ['proxmox', 'cloudstack'] as const;
export const targetPlatformSchema = z.enum(TARGET_PLATFORMS);

/** A named connection to a platform, as it is kept. */
export const targetSchema = z.discriminatedUnion('platform', [proxmoxTargetSchema, cloudstackTargetSchema]);
export type Target = z.output<typeof targetSchema>;

const fileSchema = z.strictObject({ v: z.literal(1), targets: z.array(targetSchema) });
const versionSchema = z.looseObject({ v: z.number() });

/** Short enough for the name of its secret. */
const NAME = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

type Access = { readonly host: Host; readonly home: Home };

/** Checks the name of a target. Throws `target-name-invalid`. */
export function parseTargetName(text: string): string {
  if (NAME.test(text)) return text;
  throw new IngotError('usage', 'target-name-invalid', `"${text}" cannot be the name of a target`, {
    hint: 'Names have lower-case letters, digits and dashes, start with a letter, and are at most 32 characters long.',
  });
}

/** The name in the secret store of what opens a target: `target-proxmox-home`, hence the variable INGOT_SECRET_TARGET_PROXMOX_HOME. */
export function targetSecret(target: Pick<Target, 'platform' | 'name'>): string {
  return `target-${target.platform}-${target.name}`;
}

/** Every target, in the order of their names. Throws `targets-damaged`, `targets-newer`. */
export async function listTargets({ host, home }: Access): Promise<Target[]> {
  const text = await readTextIfThere(host.files, home.targets);
  if (text === undefined) return [];
  const content = jsonOf(text);
  const version = versionSchema.safeParse(content);
  if (version.success && version.data.v > 1) {
    throw new IngotError('host', 'targets-newer', `${home.targets} was written by a newer ingot`, { hint: 'Update ingot.' });
  }
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return parsed.data.targets.toSorted((a, b) => (targetReference(a) < targetReference(b) ? -1 : 1));
  throw new IngotError('internal', 'targets-damaged', `${home.targets} is not what ingot wrote`, {
    hint: 'Put it back from a copy, or remove it and add the targets again; publications keep what they know.',
  });
}

/** A target by `platform:name`, or by its name alone where that is clear. Throws `target-unknown` with the nearest names, `target-ambiguous`. */
export async function findTarget(access: Access, reference: string): Promise<Target> {
  const all = await listTargets(access);
  const found = all.filter((target) => targetReference(target) === reference || target.name === reference);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const names = all.map(targetReference);
  if (found.length > 1) {
    throw new IngotError('usage', 'target-ambiguous', `"${reference}" can be ${found.map(targetReference).join(' or ')}`, {
      hint: 'Name the platform as well.',
    });
  }
  const near = nearest(reference, names);
  throw new IngotError('not-found', 'target-unknown', `There is no target ${reference}`, {
    hint:
      near.length > 0
        ? `Did you mean ${near.join(' or ')}?`
        : names.length > 0
          ? `There are ${names.join(', ')}.`
          : '`ingot target add` makes one: docs/proxmox.md and docs/cloudstack.md tell how.',
  });
}

/** Adds a target with its secret, or replaces one. The secret is stored first: a target without one would be of no use. Throws `target-exists`. */
export async function addTarget(access: SecretsAccess, target: Target, secret: string, options: { readonly replace: boolean }): Promise<'added' | 'replaced'> {
  parseTargetName(target.name);
  let change: 'added' | 'replaced' = 'added';
  await changeTargets(access, async (all) => {
    const others = all.filter((one) => targetReference(one) !== targetReference(target));
    if (others.length < all.length && !options.replace) throw targetExists(target);
    if (others.length < all.length) change = 'replaced';
    await openSecrets(access).set(targetSecret(target), secret);
    return [...others, target];
  });
  return change;
}

/** That a target is there already: `target-exists`. */
export function targetExists(target: Pick<Target, 'platform' | 'name'>): IngotError {
  return new IngotError('conflict', 'target-exists', `There is a target ${targetReference(target)} already`, {
    hint: 'Choose another name, or give --replace.',
  });
}

/** Forgets a target and its secret; nothing is changed there. */
export async function removeTarget(access: SecretsAccess, target: Target): Promise<void> {
  await changeTargets(access, async (all) => all.filter((one) => targetReference(one) !== targetReference(target)));
  const secrets = openSecrets(access);
  if ((await secrets.names()).includes(targetSecret(target))) await secrets.remove(targetSecret(target));
}

async function changeTargets({ host, home }: Access, change: (all: Target[]) => Promise<Target[]>): Promise<void> {
  await using _lock = await takeLock(host, home, 'targets', { what: 'change of targets' });
  await removeLeftovers(host.files, home.targets);
  const targets = await change(await listTargets({ host, home }));
  await replaceFile(host.files, home.targets, `${JSON.stringify({ v: 1, targets }, undefined, 2)}\n`, 0o600);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
