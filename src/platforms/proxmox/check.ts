import { formatSize } from '../../base/types.ts';
import type { TargetFinding } from '../platform.ts';
import type { PveStorage } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { grantLines, lackingPrivileges } from './privileges.ts';
import { serverVersion, viewNodes, type NodeView } from './probe.ts';
import { REQUESTS } from './requests.ts';
import type { ProxmoxTarget } from './target.ts';
import { contentCommand, offersImages, takesImport } from './storage-types.ts';

/** Seconds that the clocks may differ without a word. */
const SKEW_LIMIT = 60;

/** Looks at a server as a publication would need it: each lack with the line that mends it. Throws only what keeps one from asking at all. */
export async function checkTarget(client: ProxmoxClient, target: ProxmoxTarget): Promise<TargetFinding[]> {
  const server = await serverVersion(client);
  const views = await viewNodes(client);
  const permissions = await client.call(REQUESTS.permissions());
  const lacks = lackingPrivileges(permissions, server.major, []);
  const missing = lacks.filter(({ optional }) => optional !== true);
  const wanted = lacks.filter(({ optional }) => optional === true);
  const online = views.filter((view) => view.online);
  const grants = (which: typeof lacks, result: 'failed' | 'warning'): TargetFinding[] =>
    which.map((lack) => ({
      name: `privilege ${lack.privilege}`,
      result,
      detail: `not held on ${lack.path}; it is for: ${lack.use}`,
      remedy: grantLines([lack], client.tokenId).join('\n'),
    }));
  return [
    { name: 'version', result: 'passed', detail: `Proxmox VE ${server.version}` },
    clockFinding(client.skew),
    ...views.map(nodeFinding),
    ...online.flatMap((view) => view.storages.map((storage) => storageFinding(view, storage))),
    ...online.flatMap(importFinding),
    ...defaultFindings(views, target),
    ...(lacks.length === 0 ? [{ name: 'privileges', result: 'passed' as const, detail: `${client.tokenId} has all that ingot needs` }] : []),
    ...grants(missing, 'failed'),
    ...grants(wanted, 'warning'),
  ];
}

function clockFinding(skew: number | undefined): TargetFinding {
  if (skew === undefined || Math.abs(skew) <= SKEW_LIMIT) return { name: 'clock', result: 'passed', detail: 'agrees with that of this host' };
  return {
    name: 'clock',
    result: 'warning',
    detail: `${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} that of this host; ingot does not rely on it, but tokens that expire and certificates do`,
    remedy: 'timedatectl set-ntp true',
  };
}

function nodeFinding({ node, online }: NodeView): TargetFinding {
  const size = [
    node.maxcpu === undefined ? undefined : `${node.maxcpu} processors`,
    node.maxmem === undefined ? undefined : `${formatSize(node.maxmem)} of memory`,
  ];
  return online
    ? { name: `node ${node.node}`, result: 'passed', detail: ['online', ...size.filter((text) => text !== undefined)].join(', ') }
    : { name: `node ${node.node}`, result: 'warning', detail: `${node.status}: nothing can be published to it now` };
}

function storageFinding({ node }: NodeView, storage: PveStorage): TargetFinding {
  const free = storage.avail === undefined ? 'free space unknown' : `${formatSize(storage.avail)} free`;
  const state = storage.active ? '' : ', not active';
  return {
    name: `storage ${storage.storage} on ${node.node}`,
    result: storage.active ? 'passed' : 'warning',
    detail: `${storage.type}${storage.shared ? ', shared' : ''}: ${storage.content.join(', ')}; ${free}${state}`,
  };
}

/** What the target names for every publication, and is not there. */
function defaultFindings(views: readonly NodeView[], { name, defaults }: ProxmoxTarget): TargetFinding[] {
  const nodes = views.map(({ node }) => node.node);
  const storages = [...new Set(views.flatMap((view) => view.storages.map(({ storage }) => storage)))];
  return [
    { flag: '--node', what: 'node', wanted: defaults.node, known: nodes },
    { flag: '--storage', what: 'storage', wanted: defaults.storage, known: storages },
    { flag: '--upload-storage', what: 'storage', wanted: defaults.uploadStorage, known: storages },
  ].flatMap(({ flag, what, wanted, known }) =>
    wanted === undefined || known.includes(wanted)
      ? []
      : [
          {
            name: flag,
            result: 'failed' as const,
            detail: `the target names the ${what} ${wanted}, and there is none; there are ${known.join(', ')}`,
            remedy: `# on this host: ingot target add proxmox ${name} … --replace, with another ${flag}`,
          },
        ],
  );
}

/** Whether disks can come to the node and lie there. */
function importFinding({ node, storages }: NodeView): TargetFinding[] {
  const findings: TargetFinding[] = [];
  const active = storages.filter((storage) => storage.active);
  if (!active.some((storage) => takesImport(storage) && storage.content.includes('import'))) {
    const candidate = active.find(takesImport);
    findings.push({
      name: `uploads to ${node.node}`,
      result: 'failed',
      detail:
        candidate === undefined
          ? 'no storage can take an upload: one of type dir, nfs, cifs, cephfs or btrfs is needed'
          : `no storage has the content type "import"; ${candidate.storage} could`,
      ...(candidate === undefined ? {} : { remedy: contentCommand(candidate) }),
    });
  }
  if (!active.some(offersImages)) {
    findings.push({ name: `disks on ${node.node}`, result: 'failed', detail: 'no storage has the content type "images"' });
  }
  return findings;
}
