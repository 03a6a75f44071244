import { join } from 'node:path';
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
  // cloud-init would cut a name with dots at the first one.
  const whole = hostname.includes('.') ? { prefer_fqdn_over_hostname: true, fqdn: hostname } : {};
  return {
    userData,
    metaData: `${JSON.stringify({ 'instance-id': instanceId, 'local-hostname': hostname, 'public-keys': [publicKey.trim()] }, undefined, 2)}\n`,
    vendorData: `#cloud-config\n${JSON.stringify({ manage_etc_hosts: 'localhost', ...whole })}\n`,
  };
}
