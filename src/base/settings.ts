import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import type { Settings } from './settings-schema.ts';
import { hostPath, type HostPath } from './types.ts';

export type { Settings } from './settings-schema.ts';

/** What holds where nobody sets it. Here, and not in the schema, since a start without any setting loads no schema. */
export const BUILT_IN = {
  workspace: 'auto',
  gate: 'quick',
  'image-prune': 'never',
  'cache-push': 'no',
  'alert-after': 60,
  'default-release': 'debian-12',
  'log-level': 'info',
  'cpu-overcommit': 4,
  'memory-overcommit': 1,
} as const;

/** The settings of a project, in its folder or one above the working directory. */
export const PROJECT_FILE = 'ingot.settings.yaml';

const VARIABLE = 'INGOT_';
/** Variables that are no settings: where things are, what the launcher tells, secrets, and variables of templates. */
const OTHER_VARIABLES = /^INGOT_(HOME|NODE|NODE_MIRROR|COMMAND|DEVELOPMENT|SECRET_.*|SECRETS_PASSPHRASE|VAR_.*)$/;

/** Where settings are looked for. */
export interface SettingsPlace {
  readonly host: Pick<Host, 'files' | 'env'>;
  readonly home: Home;
  /** Where the search for the project's file starts, upwards; without it there is no project. */
  readonly folder?: HostPath | undefined;
}

/**
 * The settings in force: environment, then the project's file, then the user's, then what is built in. (A flag is above
 * all of them: `input.gate ?? settings.gate`.) Throws `settings-invalid` with every problem of every level.
 */
export async function loadSettings(place: SettingsPlace): Promise<Settings> {
  const { host, home } = place;
  const project = await projectFile(place);
  const user = (await host.files.status(home.settings)) !== undefined;
  const variables = Object.keys(host.env).some((name) => name.startsWith(VARIABLE) && !OTHER_VARIABLES.test(name));
  // The schema is loaded only where something is set: start-up is felt at every command.
  if (!user && !variables && project === undefined) return builtInSettings(home);
  const { readLevels, effectiveSettings } = await import('./settings-levels.ts');
  return effectiveSettings(await readLevels(place), place);
}

/** The settings where nothing is set. */
export function builtInSettings(home: Home): Settings {
  return { ...BUILT_IN, templates: home.templates };
}

/** Sticky and writable for all, as /tmp is. */
const SHARED_FOLDER = 0o1002;

/**
 * The nearest {@link PROJECT_FILE} from the folder upwards; undefined where there is none. One in a shared folder such as
 * /tmp is passed over: anybody may have put it there, for all who work below.
 */
export async function projectFile(place: SettingsPlace): Promise<HostPath | undefined> {
  for (let folder: string | undefined = place.folder; folder !== undefined; folder = folder === dirname(folder) ? undefined : dirname(folder)) {
    const path = join(folder, PROJECT_FILE);
    if ((await place.host.files.status(path))?.kind !== 'file') continue;
    const mode = (await place.host.files.status(folder))?.mode ?? 0;
    if ((mode & SHARED_FOLDER) !== SHARED_FOLDER) return hostPath(path);
  }
  return undefined;
}

/** A path of a setting with `~/` made the home folder of the user. */
export function expandPath(path: string, env: Host['env']): string {
  return path.startsWith('~/') ? join(env['HOME'] ?? homedir(), path.slice(2)) : path;
}

/** A value as it may be shown: whatever an address holds besides server and path (user, password, query) is `***`. */
export function shownValue(value: unknown): string {
  const text = String(value);
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return text;
  const user = url.username === '' && url.password === '' ? '' : '***@';
  return `${url.protocol}//${user}${url.host}${url.pathname}${url.search === '' && url.hash === '' ? '' : '?***'}`;
}
