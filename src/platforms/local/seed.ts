import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';
import { vendorParts } from './cloud-init-files.ts';
import { makeFat, readFat } from './fat.ts';
import { foreignSeed, vendorText } from './vendor-data.ts';
import type { Share } from './vm-record.ts';

/** The files of a NoCloud data source, as text (cloud-init: reference/datasources/nocloud). */
export interface SeedContent {
  readonly userData: string;
  readonly metaData: string;
  readonly networkConfig?: string;
  readonly vendorData?: string;
}

const SEED_FILES = { 'user-data': 'userData', 'meta-data': 'metaData', 'network-config': 'networkConfig', 'vendor-data': 'vendorData' } as const;

/** A disk that cloud-init reads as NoCloud seed: a FAT filesystem with the label CIDATA, and no partitions. Pure. */
export function seedDisk(content: SeedContent): Uint8Array {
  const files = new Map<string, Uint8Array>();
  for (const [name, key] of Object.entries(SEED_FILES)) {
    const text = content[key];
    if (text !== undefined) files.set(name, Buffer.from(text));
  }
  return makeFat('CIDATA', files);
}

/** Writes the disk of a seed, for its owner alone; `path` is new, in a folder that nobody else writes to. */
export async function makeSeed(host: Host, path: HostPath, content: SeedContent): Promise<void> {
  await host.files.write(path, seedDisk(content), { mode: 0o600 });
}

/** Reads a seed. Throws `seed-foreign` where ingot did not write it. */
export async function readSeed(host: Host, path: HostPath): Promise<SeedContent> {
  const files = seedFiles(await host.files.read(path));
  const read = (name: string): string | undefined => files.get(name)?.toString('utf8');
  const [userData, metaData, networkConfig, vendorData] = [read('user-data'), read('meta-data'), read('network-config'), read('vendor-data')];
  if (userData === undefined || metaData === undefined) throw foreignSeed();
  return { userData, metaData, ...(networkConfig === undefined ? {} : { networkConfig }), ...(vendorData === undefined ? {} : { vendorData }) };
}

function seedFiles(image: Uint8Array): Map<string, Buffer> {
  try {
    return readFat(image);
  } catch (error) {
    if (error instanceof RangeError) throw foreignSeed(error);
    throw error;
  }
}

/** What a VM is told about itself. */
export interface SeedIdentity {
  /** Names this instance for cloud-init: another one makes it set everything up anew. */
  readonly instanceId: string;
  readonly hostname: string;
  /** A line of authorized_keys for the image's default user. */
  readonly publicKey: string;
}

/** What the user of a machine wants of cloud-init. */
export interface SeedWishes {
  readonly userData?: string | undefined;
  readonly networkConfig?: string | undefined;
  /** Beside ingot's own. */
  readonly vendorData?: string | undefined;
  /** More lines of authorized_keys for the image's default user. */
  readonly sshKeys?: readonly string[] | undefined;
  /** A crypt(5) hash: the default user may log in with its password, by SSH and on the console. */
  readonly passwordHash?: string | undefined;
  readonly shares?: readonly Share[];
}

/**
 * Seed content for a machine. Name and keys travel as meta-data and ingot's defaults as vendor-data, so that user-data is the user's alone, and wins.
 * Values are written as JSON, which is YAML.
 */
export function seedContent(identity: SeedIdentity, wishes: SeedWishes = {}): SeedContent {
  const { instanceId, hostname, publicKey } = identity;
  const { userData = '#cloud-config\n{}\n', networkConfig, sshKeys = [], passwordHash, shares = [] } = wishes;
  const login = passwordHash === undefined ? {} : { ssh_pwauth: true, password: passwordHash, chpasswd: { expire: false } };
  const more = [...(shares.length === 0 ? [] : [mountScript(shares)]), ...(wishes.vendorData === undefined ? [] : vendorParts(wishes.vendorData))];
  const keys = [...new Set([publicKey.trim(), ...sshKeys])];
  return {
    userData,
    metaData: `${JSON.stringify({ 'instance-id': instanceId, 'local-hostname': hostname, 'public-keys': keys }, undefined, 2)}\n`,
    ...(networkConfig === undefined ? {} : { networkConfig }),
    vendorData: vendorText({ manage_etc_hosts: 'localhost', ...wholeName(hostname), ...login }, more),
  };
}

/** cloud-init would cut a name with dots at the first one. */
export function wholeName(hostname: string): object {
  return hostname.includes('.') ? { prefer_fqdn_over_hostname: true, fqdn: hostname } : {};
}

/** Mounts shares when the machine starts: at its first boot through cloud-init, which then writes them into /etc/fstab. */
function mountScript(shares: readonly Share[]): { readonly content: string } {
  const lines = shares.map(({ tag, kind, guest, readOnly }) => {
    const options = [readOnly ? 'ro' : 'rw', 'nofail', ...(kind === '9p' ? ['trans=virtio', 'version=9p2000.L', 'msize=262144'] : [])];
    return `share ${tag} ${guest} ${kind} ${options.join(',')}\n`;
  });
  return { content: `#cloud-boothook\n${MOUNT}${lines.join('')}` };
}

const MOUNT = `#!/bin/sh
share() {
  mkdir -p "$2"
  if ! grep -q "^$1 $2 $3 " /etc/fstab; then
    [ -z "$(tail -c 1 /etc/fstab)" ] || echo >>/etc/fstab
    echo "$1 $2 $3 $4 0 0" >>/etc/fstab
  fi
  mountpoint -q "$2" || mount "$2"
}
`;
