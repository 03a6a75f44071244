import { setImmediate } from 'node:timers/promises';
import { Events } from '../../src/base/events.ts';
import { builtInSettings, type Settings } from '../../src/base/settings.ts';
import type { Context } from '../../src/operations/operation.ts';
import { UNATTENDED } from './unattended.ts';
import { putSampleImage, recordsOf, sampleGate, sampleHome, type SampleHome } from './sample-images.ts';

/** An operation's context in a home, in which nobody waits; what it says goes to `said`. */
export function remoteContext(at: SampleHome, settings: Partial<Settings> = {}, said: string[] = [], env: Readonly<Record<string, string>> = {}): Context {
  return {
    host: { ...at.host, clock: { ...at.host.clock, sleep: () => setImmediate() }, env: { HOME: at.home.root, ...env } },
    home: at.home,
    settings: { ...builtInSettings(at.home), ...settings },
    events: new Events('test', (event) => void (event.type === 'message' && said.push(event.text)), at.host),
    signal: new AbortController().signal,
    ...UNATTENDED,
  };
}

/** A home with `base`, and `web` on it, which passed its gate. */
export async function sourceHome(): Promise<SampleHome> {
  const home = await sampleHome();
  const base = await putSampleImage(home.store, home.home, 'base', ['latest'], ['base']);
  const web = await putSampleImage(home.store, home.home, 'web', ['latest', '1.4'], ['web'], await recordsOf(home.store, base));
  await home.store.addGate(web, sampleGate('passed'));
  return home;
}
