import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';
import { CLOUD_CONFIG, CLOUD_CONFIG_ARCHIVE, vendorText, wholeName, type SeedContent } from './seed.ts';

/** Another identity for a seed that is there. */
export interface NewIdentity {
  readonly hostname: string;
  /** Another instance: cloud-init sets everything up anew, and systemd gets another machine-id. Without it, only the name changes. */
  readonly instanceId?: string;
}

/**
 * Gives a copied root a machine-id of its own, once: cloud-init does so for host keys, hostname and network, but not for this. The journal goes on
 * under the new one. A system without systemd has none.
 */
const NEW_MACHINE_ID = [
  'command -v systemd-machine-id-setup >/dev/null || exit 0',
  'rm -f /var/lib/dbus/machine-id',
  ': >/etc/machine-id',
  'systemd-machine-id-setup',
  'ln -sf /etc/machine-id /var/lib/dbus/machine-id 2>/dev/null || :',
  'systemctl restart --no-block systemd-journald.service || :',
].join('\n');

/** The same seed with another identity: all that is the user's stays. Throws `seed-foreign` where ingot did not write it. Pure. */
export function withIdentity(content: SeedContent, identity: NewIdentity): SeedContent {
  const { hostname, instanceId } = identity;
  const { own, parts } = vendorOf(content.vendorData);
  const { prefer_fqdn_over_hostname: _prefer, fqdn: _fqdn, ...config } = own;
  const bootcmd = instanceId === undefined ? {} : { bootcmd: [['cloud-init-per', 'instance', 'ingot-machine-id', 'sh', '-c', NEW_MACHINE_ID]] };
  const metaData = { ...parseObject(content.metaData), 'local-hostname': hostname, ...(instanceId === undefined ? {} : { 'instance-id': instanceId }) };
  return {
    ...content,
    metaData: `${JSON.stringify(metaData, undefined, 2)}\n`,
    vendorData: vendorText({ ...config, ...wholeName(hostname), ...bootcmd }, parts),
  };
}

const archiveSchema = z.tuple([z.object({ content: z.string() })], z.unknown());

/** Takes vendor data apart again: what {@link vendorText} put together. */
function vendorOf(text: string = `${CLOUD_CONFIG}{}`): { own: Record<string, unknown>; parts: readonly unknown[] } {
  if (text.startsWith(CLOUD_CONFIG)) return { own: parseObject(text.slice(CLOUD_CONFIG.length)), parts: [] };
  if (!text.startsWith(CLOUD_CONFIG_ARCHIVE)) throw foreignSeed();
  const [first, ...parts] = parsed(text.slice(CLOUD_CONFIG_ARCHIVE.length), archiveSchema);
  if (!first.content.startsWith(CLOUD_CONFIG)) throw foreignSeed();
  return { own: parseObject(first.content.slice(CLOUD_CONFIG.length)), parts };
}

function parseObject(text: string): Record<string, unknown> {
  return text.trim() === '' ? {} : parsed(text, z.record(z.string(), z.unknown()));
}

/** JSON of a form; anything else is not ingot's. */
function parsed<T>(text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw foreignSeed();
  }
}

function foreignSeed(): IngotError {
  return new IngotError('verification', 'seed-foreign', 'The seed of this VM was not written by ingot, or is damaged', {
    hint: 'A VM gets a new one with `ingot vm create`.',
  });
}

/** Reads the seed of a VM; `scratch` is a folder for the time being. Needs mtools. */
export async function readSeed(host: Host, path: HostPath, scratch: HostPath): Promise<SeedContent> {
  const folder = join(scratch, 'seed');
  await host.files.makeDirectory(folder, 0o700);
  await host.processes.run(['mcopy', '-n', '-i', path, '::*', folder]);
  const read = (name: string): Promise<string | undefined> => readTextIfThere(host.files, join(folder, name));
  const [userData, metaData, networkConfig, vendorData] = await Promise.all(['user-data', 'meta-data', 'network-config', 'vendor-data'].map(read));
  await host.files.remove(folder);
  if (userData === undefined || metaData === undefined) throw foreignSeed();
  return { userData, metaData, ...(networkConfig === undefined ? {} : { networkConfig }), ...(vendorData === undefined ? {} : { vendorData }) };
}
