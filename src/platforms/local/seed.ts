import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';

/** The files of a NoCloud data source, as text (cloud-init: reference/datasources/nocloud). */
export interface SeedContent {
  readonly userData: string;
  readonly metaData: string;
  readonly networkConfig?: string;
  readonly vendorData?: string;
}

/** Room for the filesystem itself, and for files that do not fill their clusters. */
const FILESYSTEM_BYTES = 128 * 2 ** 10;

/**
 * Makes a disk that cloud-init reads as NoCloud seed: a FAT filesystem with the label CIDATA, and no partitions. `path` is new, in a
 * folder that nobody else writes to. Needs mtools.
 */
export async function makeSeed(host: Host, path: HostPath, content: SeedContent): Promise<void> {
  const parts: Readonly<Record<string, string | undefined>> = {
    'user-data': content.userData,
    'meta-data': content.metaData,
    'network-config': content.networkConfig,
    'vendor-data': content.vendorData,
  };
  const folder = `${path}.d`;
  await host.files.makeDirectory(folder, 0o700);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => host.files.remove(folder));
  const names: string[] = [];
  let bytes = FILESYSTEM_BYTES;
  for (const [name, text] of Object.entries(parts)) {
    if (text === undefined) continue;
    names.push(join(folder, name));
    bytes += Buffer.byteLength(text);
    await host.files.write(join(folder, name), text, { mode: 0o600 });
  }
  const sectors = Math.ceil(bytes / 512 / 32) * 32;
  await host.processes.run(['mformat', '-C', '-i', path, '-v', 'CIDATA', '-T', String(sectors), '-h', '2', '-s', '16', '::']);
  await host.processes.run(['mcopy', '-i', path, ...names, '::']);
  await host.files.setMode(path, 0o600);
}

/** What a VM is told about itself. */
export interface SeedIdentity {
  /** Names this instance for cloud-init: another one makes it set everything up anew. */
  readonly instanceId: string;
  readonly hostname: string;
  /** A line of authorized_keys for the image's default user. */
  readonly publicKey: string;
}

/**
 * Seed content for a machine. Name and key travel as meta-data and ingot's defaults as vendor-data, so that user-data is the user's alone.
 * Values are written as JSON, which is YAML.
 */
export function seedContent(identity: SeedIdentity, userData: string = '#cloud-config\n{}\n'): SeedContent {
  const { instanceId, hostname, publicKey } = identity;
  return {
    userData,
    metaData: `${JSON.stringify({ 'instance-id': instanceId, 'local-hostname': hostname, 'public-keys': [publicKey.trim()] }, undefined, 2)}\n`,
    vendorData: vendorText({ manage_etc_hosts: 'localhost', ...wholeName(hostname) }),
  };
}

/** cloud-init would cut a name with dots at the first one. */
function wholeName(hostname: string): object {
  return hostname.includes('.') ? { prefer_fqdn_over_hostname: true, fqdn: hostname } : {};
}

const CLOUD_CONFIG = '#cloud-config\n';

function vendorText(config: object): string {
  return `${CLOUD_CONFIG}${JSON.stringify(config)}\n`;
}

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
  const vendor = content.vendorData ?? CLOUD_CONFIG;
  if (!vendor.startsWith(CLOUD_CONFIG)) throw foreignSeed();
  const { prefer_fqdn_over_hostname: _prefer, fqdn: _fqdn, ...config } = parseObject(vendor.slice(CLOUD_CONFIG.length));
  const bootcmd = instanceId === undefined ? {} : { bootcmd: [['cloud-init-per', 'instance', 'ingot-machine-id', 'sh', '-c', NEW_MACHINE_ID]] };
  const metaData = { ...parseObject(content.metaData), 'local-hostname': hostname, ...(instanceId === undefined ? {} : { 'instance-id': instanceId }) };
  return {
    ...content,
    metaData: `${JSON.stringify(metaData, undefined, 2)}\n`,
    vendorData: vendorText({ ...config, ...wholeName(hostname), ...bootcmd }),
  };
}

function parseObject(text: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  try {
    const parsed = z.record(z.string(), z.unknown()).safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // not JSON: not ingot's
  }
  throw foreignSeed();
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
