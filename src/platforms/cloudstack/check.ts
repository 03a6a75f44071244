import { inPool } from '../../base/pool.ts';
import { formatSize } from '../../base/types.ts';
import type { TargetFinding } from '../platform.ts';
import type { CsAccount } from './answers.ts';
import { defaultFindings } from './check-defaults.ts';
import type { CloudStackClient } from './client.ts';
import { SKEW_LIMIT } from './failures.ts';
import { FORMAT_OF } from './hypervisors.ts';
import { ifAllowed, listZones, serverVersion, viewZone, zoneTroubles, type Server, type ZoneView } from './probe.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';

/** Seconds that the clocks may differ without a word. */
const SKEW_SAID = 30;
const ZONES_AT_ONCE = 4;

/** Commands without which nothing can be published, and those that something is missing without. */
const NEEDED: Readonly<Record<string, string>> = {
  listZones: 'finding zones',
  listTemplates: 'waiting until a template is ready',
  listOsTypes: 'finding the OS type',
  registerTemplate: 'registering a template',
  deleteTemplate: 'removing old versions, and what is half made',
  createTags: 'marking what is ours',
  deleteTags: 'moving the mark of the current version',
  queryAsyncJobResult: 'following jobs',
  listServiceOfferings: 'the trial instance',
  listNetworks: 'the trial instance',
  deployVirtualMachine: 'the trial instance',
  listVirtualMachines: 'the trial instance, and what stands on a template',
  destroyVirtualMachine: 'removing the trial instance',
  rebootVirtualMachine: 'the trial instance',
  registerSSHKeyPair: 'logging in to the trial instance',
  deleteSSHKeyPair: 'removing the key of the trial',
};
const WANTED: Readonly<Record<string, string>> = {
  updateTemplatePermissions: 'templates that others may use',
  getUploadParamsForTemplate: 'uploads from here (--transfer upload)',
  copyTemplate: 'copies to further zones',
  extractTemplate: 'fetching templates from there',
  resetPasswordForVirtualMachine: 'proving that passwords can be reset',
  stopVirtualMachine: 'proving that passwords can be reset',
  startVirtualMachine: 'proving that passwords can be reset',
  listClusters: 'choosing formats by the hypervisors of clusters',
  listSystemVms: 'saying why a download stalls',
  listImageStores: 'saying why a download stalls',
  updateVirtualMachine: 'instances with --on',
  listVolumes: 'instances with --on',
  listVMSnapshot: 'instances with --on',
  scaleVirtualMachine: 'resizing instances',
  resizeVolume: 'resizing instances',
  createVMSnapshot: 'snapshots of instances',
  createTemplate: 'templates of instances',
  listSnapshots: 'templates of snapshots',
  createSnapshotFromVMSnapshot: 'templates of snapshots',
  deleteSnapshot: 'templates of snapshots',
  listPublicIpAddresses: 'reaching instances on isolated networks',
  listPortForwardingRules: 'reaching instances on isolated networks',
  createPortForwardingRule: 'reaching instances on isolated networks',
  createFirewallRule: 'reaching instances on isolated networks',
  createConsoleEndpoint: 'consoles of instances',
};

/** Looks at a server as a publication would need it: each lack with what mends it. Throws only what keeps one from asking at all. */
export async function checkTarget(client: CloudStackClient, target: CloudStackTarget): Promise<TargetFinding[]> {
  const server = await serverVersion(client);
  const zones = await listZones(client);
  const views: ZoneView[] = [];
  await inPool(ZONES_AT_ONCE, zones, async (zone, _signal, index) => void (views[index] = await viewZone(client, zone)));
  const [accounts, apis] = [await ifAllowed(client, REQUESTS.accounts()), await ifAllowed(client, REQUESTS.apis())];
  return [
    { name: 'version', result: 'passed', detail: `CloudStack ${server.version}` },
    clockFinding(client.skew),
    ...capabilityFindings(server),
    ...(views.length === 0 ? [{ name: 'zones', result: 'failed' as const, detail: 'this user sees no zone' }] : []),
    ...views.flatMap(zoneFindings),
    ...(await defaultFindings(client, zones, target)),
    ...(accounts ?? []).slice(0, 1).flatMap(quotaFindings),
    ...commandFindings(apis?.map(({ name }) => name)),
  ];
}

function clockFinding(skew: number | undefined): TargetFinding {
  if (skew === undefined || Math.abs(skew) <= SKEW_SAID) return { name: 'clock', result: 'passed', detail: 'agrees with that of this host' };
  const far = Math.abs(skew) > SKEW_LIMIT;
  return {
    name: 'clock',
    result: 'warning',
    detail: `${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} that of this host; ${far ? 'signatures would be refused, so ingot' : 'ingot'} signs for the server's clock`,
    remedy: 'timedatectl set-ntp true',
  };
}

function capabilityFindings({ capabilities }: Server): TargetFinding[] {
  const { apilimitmax, apilimitinterval, userpublictemplateenabled } = capabilities;
  return [
    ...(apilimitmax === undefined
      ? []
      : [
          {
            name: 'throttling',
            result: 'passed' as const,
            detail: `${apilimitmax} requests in ${apilimitinterval ?? 1} s for an account; ingot waits where it is held back`,
          },
        ]),
    ...(userpublictemplateenabled
      ? []
      : [
          {
            name: 'public templates',
            result: 'warning' as const,
            detail: 'users may not make templates public; an administrator still may',
            remedy: 'Global settings: allow.public.user.templates = true',
          },
        ]),
  ];
}

function zoneFindings(view: ZoneView): TargetFinding[] {
  const { zone, hypervisors, systemVms, stores } = view;
  const name = `zone ${zone.name}`;
  const troubles = zoneTroubles(view);
  if (troubles.length > 0)
    return troubles.map(({ what, remedy }): TargetFinding => ({ name, result: view.enabled ? 'failed' : 'warning', detail: what, remedy }));
  const formats = hypervisors.map((one) => `${one} (${FORMAT_OF[one]?.name ?? 'nothing that ingot makes'})`);
  const unseen = systemVms === undefined || stores === undefined ? '; system VMs and storage cannot be seen by this user' : '';
  const storage = (stores ?? []).map(
    ({ name: store, disksizetotal, disksizeused }) =>
      `${store}${disksizetotal === undefined || disksizeused === undefined ? '' : `, ${formatSize(disksizetotal - disksizeused)} free`}`,
  );
  const usable = hypervisors.some((one) => FORMAT_OF[one] !== undefined);
  return [
    {
      name,
      result: usable ? 'passed' : 'warning',
      detail: `enabled, ${formats.length === 0 ? 'without hypervisors' : formats.join(', ')}${storage.length === 0 ? '' : `; ${storage.join('; ')}`}${unseen}`,
    },
  ];
}

function quotaFindings(account: CsAccount): TargetFinding[] {
  const quota = (name: string, limit: string | undefined, available: string | undefined, use: string): TargetFinding[] => {
    if (limit === undefined || available === undefined) return [];
    const open = /unlimited|^-1$/i.test(available);
    const none = !open && Number(available) <= 0;
    return [
      {
        name: `quota of ${name}`,
        result: none ? 'failed' : 'passed',
        detail: open ? 'unlimited' : `${available} of ${limit} left, for ${use}`,
        ...(none ? { remedy: `Accounts, ${account.name}, Limits: raise the limit of ${name}, or remove some.` } : {}),
      },
    ];
  };
  return [
    ...quota('templates', account.templatelimit, account.templateavailable, 'one for each version and hypervisor'),
    ...quota('instances', account.vmlimit, account.vmavailable, 'the trial'),
    ...quota('secondary storage (GiB)', account.secondarystoragelimit, account.secondarystorageavailable, 'the files of templates'),
  ];
}

function commandFindings(allowed: readonly string[] | undefined): TargetFinding[] {
  if (allowed === undefined) {
    return [
      {
        name: 'commands',
        result: 'warning',
        detail: 'this user may not ask what it may do (listApis)',
        remedy: 'Roles, the role of the user, Rules: allow listApis.',
      },
    ];
  }
  const lacks = (which: Readonly<Record<string, string>>, result: 'failed' | 'warning'): TargetFinding[] =>
    Object.entries(which)
      .filter(([name]) => !allowed.includes(name))
      .map(([name, use]) => ({
        name: `command ${name}`,
        result,
        detail: `not allowed; it is for: ${use}`,
        remedy: `Roles, the role of the user, Rules: allow ${name}.`,
      }));
  const found = [...lacks(NEEDED, 'failed'), ...lacks(WANTED, 'warning')];
  return found.length > 0 ? found : [{ name: 'commands', result: 'passed', detail: `the key may send all that ingot needs, of ${allowed.length} in all` }];
}
