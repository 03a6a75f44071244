import { IngotError } from '../base/errors.ts';
import { fetchLargeFile, type FetchedFile } from '../base/transfer/large-file.ts';
import type { PlatformContext } from './platform.ts';
import type { FetchableTemplate, RemoteTemplates } from './remote-templates.ts';

/** No disk is larger. */
const MOST_DISK = 2 ** 40;

/**
 * Fetches a template of a target into the home's cache: resumed where an earlier run was cut, for as long as the platform gives the same address. Nobody vouches
 * for what comes. `check` can refuse it before it is fetched. Throws what that, opening and downloading throw.
 */
export async function fetchTemplate(
  context: PlatformContext,
  templates: RemoteTemplates,
  { name, place, check }: { readonly name: string; readonly place?: string | undefined; readonly check?: (template: FetchableTemplate) => Promise<void> },
): Promise<{ readonly template: FetchableTemplate; readonly file: FetchedFile }> {
  const { host, home, events, signal } = context;
  const template = await events.stage(`opening ${name}`, (span) => templates.open(name, { place, span }));
  await check?.(template);
  const file = await events.stage(`${template.name} from ${template.place}`, async (span) => {
    const options = {
      offline: false,
      signal,
      onProgress: (done: number, total: number | undefined) => span.progress(done, total, 'bytes'),
      onMessage: (level: 'info' | 'warn', text: string) => events.message(level, text),
    };
    try {
      return await fetchLargeFile(host, home, { urls: [template.url], limit: MOST_DISK }, options);
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'download-failed') throw error;
      throw new IngotError(error.class, error.code, error.message, {
        cause: error,
        hint: template.hint,
        ...(error.detail === undefined ? {} : { detail: error.detail }),
      });
    }
  });
  return { template, file };
}
