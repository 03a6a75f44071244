import { Events } from '../../src/base/events.ts';
import type { ExportContext } from '../../src/disk/formats/writers.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import type { SampleHome } from './sample-images.ts';

/** What exporting an image of a sample home uses. Nothing is installed. */
export function exportContext({ host, home }: SampleHome): ExportContext {
  return {
    host,
    home,
    settings: builtInSettings(home),
    events: new Events('test', () => undefined, host),
    signal: new AbortController().signal,
    consent: () => Promise.resolve(false),
    attach: () => Promise.resolve(1),
  };
}
