import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath } from '../../base/types.ts';
import { seedContent } from '../local/seed.ts';
import type { PlatformContext } from '../platform.ts';
import type { RemoteSeed } from '../remote-vms.ts';
import { makeIso } from '../seed-iso.ts';
import type { ProxmoxClient } from './client.ts';
import { storageKey } from './facts.ts';
import { configOf, type MachineId } from './machines.ts';
import { REQUESTS } from './requests.ts';
import { seedFile } from './seed-volume.ts';

/*
 * What the cloud-init drive of Proxmox VE cannot say, since its `cicustom` takes files of the node alone: user-data of one's own. It travels as a NoCloud
 * seed on an ISO image, which the API takes, in the place of that drive.
 */

/** Uploads the seed of a VM, and puts it in the place of its cloud-init drive. Throws `storage-unfit`. */
export async function attachSeed(
  context: PlatformContext,
  client: ProxmoxClient,
  machine: MachineId,
  seed: RemoteSeed & { readonly name: string; readonly sshKeys: readonly string[] },
  span: Span | undefined,
): Promise<void> {
  const { node, vmid } = machine;
  const config = (await configOf(client, machine)) ?? {};
  const drive = Object.entries(config).find(([, value]) => /cloudinit/.test(value))?.[0];
  const { storage, shared } = await isoStorage(client, node);
  const filename = seedFile(vmid);
  const { userData, networkConfig, vendorData, name, sshKeys } = seed;
  const [publicKey = '', ...others] = sshKeys;
  const content = seedContent(
    { instanceId: config['vmgenid'] ?? `${vmid}`, hostname: name, publicKey },
    { userData, networkConfig, vendorData, sshKeys: others },
  );
  const files = new Map<string, Uint8Array>([
    ['user-data', Buffer.from(content.userData)],
    ['meta-data', Buffer.from(content.metaData)],
    ...(content.networkConfig === undefined ? [] : [['network-config', Buffer.from(content.networkConfig)] as const]),
    ...(content.vendorData === undefined ? [] : [['vendor-data', Buffer.from(content.vendorData)] as const]),
  ]);
  const iso = makeIso('cidata', files);
  await using scratch = await makeScratch(context.host, context.home, `the seed of ${name}`);
  const path = hostPath(join(scratch.path, filename));
  await context.host.files.write(path, iso, { mode: 0o600 });
  const volume = `${storage}:iso/${filename}`;
  const arrived = async (): Promise<boolean> =>
    (await client.call(REQUESTS.content(node, storage, 'iso'))).some(({ volid, size }) => volid === volume && size === iso.length);
  await client.queue.run([storageKey(node, storage, shared)], () =>
    client.upload(
      { path, size: iso.length, sha256: createHash('sha256').update(iso).digest('hex') },
      { node, storage, content: 'iso', filename },
      { done: arrived, span },
    ),
  );
  // Two sources would contradict each other.
  await client.call(REQUESTS.setConfig(machine, { [drive ?? 'ide2']: `${volume},media=cdrom` }));
}

/** A storage that takes ISO images; one that all nodes see before the others. */
async function isoStorage(client: ProxmoxClient, node: string): Promise<{ readonly storage: string; readonly shared: boolean }> {
  const able = (await client.call(REQUESTS.storages(node))).filter(({ content, active, enabled }) => active && enabled && content.includes('iso'));
  const best = able.find(({ shared }) => shared) ?? able[0];
  if (best !== undefined) return best;
  throw new IngotError('host', 'storage-unfit', `No storage of ${node} takes ISO images, on which user-data travels`, {
    hint: '`pvesm set STORAGE --content …,iso` on a node lets a file storage take them.',
  });
}
