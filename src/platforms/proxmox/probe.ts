import { IngotError } from '../../base/errors.ts';
import type { PveNode, PveStorage } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { REQUESTS } from './requests.ts';

/** What a server is, as far as it is asked for once. */
export interface Server {
  readonly version: string;
  readonly major: number;
  readonly minor: number;
}

/** Versions before this one take no disk by an upload. */
const OLDEST = { major: 8, minor: 4 };

/** The version of a server. Throws `proxmox-too-old` before 8.4. */
export async function serverVersion(client: ProxmoxClient): Promise<Server> {
  const { version } = await client.call(REQUESTS.version());
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    throw new IngotError('host', 'proxmox-too-old', `The server runs Proxmox VE ${version}, and ingot needs 8.4 or later`, {
      hint: 'Older versions take no disk over the API: update the node, or export the image and run `qm disk import` there.',
    });
  }
  return { version, major, minor };
}

/** A node with its storages; those of a node that is down are not known. */
export interface NodeView {
  readonly node: PveNode;
  readonly online: boolean;
  readonly storages: readonly PveStorage[];
}

/** All nodes and their storages. A node that cannot be reached is one without storages, and a warning. */
export async function viewNodes(client: ProxmoxClient): Promise<NodeView[]> {
  const nodes = await client.call(REQUESTS.nodes());
  return await Promise.all(
    nodes
      .toSorted((a, b) => (a.node < b.node ? -1 : 1))
      .map(async (node): Promise<NodeView> => {
        if (node.status !== 'online') return { node, online: false, storages: [] };
        try {
          return { node, online: true, storages: await client.call(REQUESTS.storages(node.node)) };
        } catch (error) {
          if (!(error instanceof IngotError) || error.code !== 'node-unreachable') throw error;
          client.events.message('warn', error.message);
          return { node, online: false, storages: [] };
        }
      }),
  );
}
