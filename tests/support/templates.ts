import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IngotError } from '../../src/base/errors.ts';
import { Events, type Event } from '../../src/base/events.ts';
import type { Home } from '../../src/base/home.ts';
import type { Host } from '../../src/base/host.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import type { Context } from '../../src/operations/operation.ts';
import { loadTemplate, type LoadedTemplate } from '../../src/template/load.ts';
import { resolveTemplate, type Overrides, type ResolveOptions } from '../../src/template/resolve.ts';
import type { ResolvedTemplate } from '../../src/template/template.ts';
import { sampleHome } from './sample-images.ts';

/** A folder with template files, and a home of its own; removed when disposed. */
export interface TemplateFolder extends AsyncDisposable {
  readonly host: Host;
  readonly home: Home;
  readonly folder: HostPath;
  readonly context: Context;
  /** What was said besides results. */
  readonly events: readonly Event[];
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
  /** Loads `web.yaml`, or another. */
  load(variables?: Readonly<Record<string, string>>, file?: string): Promise<LoadedTemplate>;
  resolve(overrides?: Partial<Overrides>, options?: ResolveOptions): Promise<ResolvedTemplate>;
}

export async function templateFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
  change: (host: Host) => Host = (host) => host,
): Promise<TemplateFolder> {
  const at = await sampleHome();
  const host = change(at.host);
  const folder = hostPath(join(at.home.root, 'work'));
  const events: Event[] = [];
  const context: Context = {
    host,
    home: at.home,
    settings: builtInSettings(at.home),
    folder,
    events: new Events('test', (event) => void events.push(event), host),
    signal: new AbortController().signal,
    verbose: false,
    consent: () => Promise.resolve(true),
    askHidden: () => Promise.reject(new Error('nobody was to be asked')),
    standardInput: () => Promise.resolve(undefined),
    attach: () => Promise.resolve(0),
    write: () => undefined,
  };
  const write = async (more: Readonly<Record<string, string | Uint8Array>>): Promise<void> => {
    for (const [name, content] of Object.entries(more)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
  };
  await mkdir(folder, { recursive: true });
  await write(files);
  const load = (variables = {}, file = 'web.yaml'): Promise<LoadedTemplate> => loadTemplate(context, hostPath(join(folder, file)), { variables });
  return {
    host,
    home: at.home,
    folder,
    context,
    events,
    write,
    load,
    resolve: async (overrides = {}, options = {}) => await resolveTemplate(context, await load(), { roles: [], packages: [], ...overrides }, options),
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  };
}

/** What was wrong, as `file:line:column path: message | hint`; fails where nothing was. */
export async function problemsOf(work: Promise<unknown>): Promise<string[]> {
  const error = await failureOf(work);
  return error.problems.map(({ position, path, message, hint }) =>
    [
      position === undefined ? '' : `${position.file}:${position.line}:${position.column} `,
      path === undefined || path === '' ? '' : `${path}: `,
      message,
      hint === undefined ? '' : ` | ${hint}`,
    ].join(''),
  );
}

/** The error that the work ends with; fails where it does not. */
export async function failureOf(work: Promise<unknown>): Promise<IngotError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof IngotError) return outcome;
  throw outcome instanceof Error ? outcome : new Error('nothing was wrong');
}
