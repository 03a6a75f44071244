import { groupKey, type PlaceFacts } from './facts.ts';
import { CURRENT_TAG } from './marks.ts';
import { describeRequest, REQUESTS, type CsRequest } from './requests.ts';
import { newTemplate } from './templates.ts';

/** What stands for identifiers that are not known yet, in what is shown. */
const SHOWN = '…';

/** The requests that a publication makes, one in a line, in their order. Pure. */
export function callsOf(places: readonly PlaceFacts[]): string[] {
  const groups = Map.groupBy(places, groupKey);
  return [...groups.values()].flatMap((members) => groupCalls(members)).map(describeRequest);
}

function groupCalls(members: readonly PlaceFacts[]): CsRequest[] {
  const [first] = members;
  if (first === undefined) return [];
  const zones = members.map(({ zone }) => zone.id);
  const template = newTemplate(first, SHOWN);
  const others = zones.slice(1);
  const brought: CsRequest[] =
    first.transfer.kind === 'upload'
      ? [REQUESTS.uploadParameters({ ...template, zoneid: first.zone.id }), ...(others.length > 0 ? [REQUESTS.copyTemplate(SHOWN, first.zone.id, others)] : [])]
      : [REQUESTS.registerTemplate({ ...template, url: urlText(first), zoneids: zones })];
  return [
    ...brought,
    REQUESTS.templates({ id: SHOWN }),
    REQUESTS.createTags(SHOWN, 'Template', first.tags),
    ...members.flatMap((facts): CsRequest[] => [
      REQUESTS.registerKeyPair('trial-…', SHOWN),
      REQUESTS.deployVm({
        zoneid: facts.zone.id,
        templateid: SHOWN,
        serviceofferingid: facts.trialMachine.offering.id,
        networkids: facts.trialMachine.networks?.map(({ id }) => id),
        name: 'trial-…',
        displayname: 'trial-…',
        keypairs: ['trial-…'],
        rootdisksize: facts.diskSize + 1,
        boottype: facts.trialMachine.bootType,
        bootmode: facts.trialMachine.bootMode,
      }),
      REQUESTS.rebootVm(SHOWN),
      REQUESTS.destroyVm(SHOWN),
      REQUESTS.deleteKeyPair('trial-…'),
    ]),
    ...(first.visibility === 'private' ? [] : [REQUESTS.setPermissions(SHOWN, true, first.visibility === 'featured')]),
    REQUESTS.createTags(SHOWN, 'Template', { [CURRENT_TAG]: 'true' }),
  ];
}

function urlText({ transfer, filename }: PlaceFacts): string {
  if (transfer.kind === 'url') return transfer.url;
  return transfer.kind === 'serve'
    ? `${transfer.tls === undefined ? 'http' : 'https'}://${transfer.address}:${transfer.port ?? SHOWN}/${SHOWN}/${filename}`
    : SHOWN;
}
