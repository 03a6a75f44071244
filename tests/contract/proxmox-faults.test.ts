import { expect, test } from 'vitest';
import { FAULT_STEP, firstFault } from '../support/fault-steps.ts';
import { publishLab, type PublishLab } from '../support/publish-lab.ts';
import type { Transport } from '../../src/platforms/transport.ts';
import { saveFaults, type FaultEnd, type FaultMode } from '../../tools/fault-results.ts';
import { listPublications } from '../../src/publish/journal.ts';

/*
 * A publication that is disturbed at every one of its requests in turn. However it ends, running it again leads to the same state, and nothing is left over: no
 * half-built VM, no trial, no upload. On a simulator; nothing of this was seen on a real server.
 */

/** In words in tools/fault-results.ts. */
const MODES: readonly FaultMode[] = ['cut', 'lost', 'gone', 'killed', 'killed-after'];

class Killed extends Error {}

/** Without what differs from run to run. */
function plain(request: string): string {
  return request.replaceAll(/[0-9a-f]{16}/g, 'DIGEST');
}

interface Outcome {
  /** How often it had to be run. */
  readonly runs: number;
  readonly request: string;
  readonly summary: unknown;
}

/** What is there, with the digest of the image left out: it is another one in each home. */
function stateOf(lab: PublishLab, digest: string): unknown {
  return JSON.parse(JSON.stringify(lab.simulator.cluster.summary()).replaceAll(digest.slice(7, 15), 'DIGEST'));
}

async function disturbed(mode: FaultMode | undefined, at: number): Promise<Outcome> {
  await using lab = await publishLab({ contract: false });
  const { simulator } = lab;
  simulator.cluster.taskPolls = 0;
  const image = await lab.image();
  const sent: string[] = [];
  const transport = (real: Transport): Transport => ({
    ...real,
    send: async (message) => {
      sent.push(`${message.method} ${message.path.replace(/^\/api2\/json/, '').replace(/UPID[^/]*/, 'UPID')}`);
      const struck = (mode === 'killed' || mode === 'killed-after') && sent.length >= at;
      if (struck && (mode === 'killed' || sent.length > at)) throw new Killed();
      const answer = await real.send(message);
      if (struck) throw new Killed();
      return answer;
    },
  });
  if (mode === 'cut' || mode === 'lost') simulator.fault = ({ number }) => (number === at ? mode : undefined);
  if (mode === 'gone') simulator.fault = ({ number }) => (number >= at ? 'cut' : undefined);
  let runs = 1;
  {
    await using platform = await lab.open({ transport });
    try {
      await lab.publish(image, {}, platform);
    } catch {
      runs = 2;
    }
  }
  simulator.fault = () => undefined;
  // The server goes on with what it was told, or is still at it when the next run begins.
  if (at % 2 === 0) await simulator.cluster.settle();
  if (runs === 2) await lab.publish(image);
  await simulator.cluster.settle();
  expect((await listPublications(lab.context())).map(({ state }) => state)).toEqual(['current']);
  return { runs, request: sent[at - 1] ?? '', summary: stateOf(lab, image.digest) };
}

const reference = await disturbed(undefined, 0);

test.each(MODES)(
  'a publication that is disturbed at each of its requests (%s) ends in the same state when it is run again',
  { timeout: 3_600_000 },
  async (mode) => {
    const table: { readonly request: string; readonly end: FaultEnd }[] = [];
    for (let at = firstFault(MODES.indexOf(mode)); ; at += FAULT_STEP) {
      const { runs, request, summary } = await disturbed(mode, at);
      if (request === '') break;
      expect(summary, `${mode} at request ${at}: ${request}`).toEqual(reference.summary);
      table.push({ request: plain(request), end: runs === 1 ? 'itself' : 'next run' });
      // What comes after the end of the publication is not there to be disturbed.
      if (at > 200) throw new Error('there is no end');
    }
    if ((process.env['INGOT_RECORD_FAULTS'] ?? '') !== '' && FAULT_STEP === 1) saveFaults('Proxmox VE', mode, table);
    expect(table.length * FAULT_STEP).toBeGreaterThan(20);
  },
);
