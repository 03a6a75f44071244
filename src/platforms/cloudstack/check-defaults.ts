import type { TargetFinding } from '../platform.ts';
import type { CsZone } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { ifAllowed } from './probe.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';

/** Names that are shown of what there is, at most. */
const SHOWN = 10;

interface Named {
  readonly id: string;
  readonly name: string;
}

/** What the target names for every publication, and is not there: publishing would fail on it. */
export async function defaultFindings(client: CloudStackClient, zones: readonly CsZone[], { name, defaults }: CloudStackTarget): Promise<TargetFinding[]> {
  const { zones: wanted = [], offering, network } = defaults;
  const lacks = (flag: string, what: string, value: string | undefined, known: readonly Named[] | undefined): TargetFinding[] => {
    if (value === undefined || known === undefined || known.some((one) => isCalled(one, value))) return [];
    const names = known.map((one) => one.name).slice(0, SHOWN);
    return [
      {
        name: flag,
        result: 'failed',
        detail: `the target names the ${what} ${value}, and there is none; there ${names.length === 0 ? 'are none at all' : `are ${names.join(', ')}`}`,
        remedy: `Here: \`ingot target add cloudstack ${name} … --replace\`, with another ${flag}.`,
      },
    ];
  };
  const findings = wanted.flatMap((value) => lacks('--zone', 'zone', value, zones));
  for (const zone of zones.filter((one) => wanted.length === 0 || wanted.some((value) => isCalled(one, value)))) {
    if (offering !== undefined)
      findings.push(...lacks('--offering', `offering in ${zone.name}`, offering, await ifAllowed(client, REQUESTS.offerings(zone.id))));
    if (network !== undefined) findings.push(...lacks('--network', `network in ${zone.name}`, network, await ifAllowed(client, REQUESTS.networks(zone.id))));
  }
  return findings;
}

function isCalled({ id, name }: Named, value: string): boolean {
  return id === value || name === value;
}
