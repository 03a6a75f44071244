import { IngotError } from './errors.ts';
import { readTextIfThere } from './files.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import type { Settings } from './settings-schema.ts';

export type { Settings } from './settings-schema.ts';

const VARIABLE = 'INGOT_';
/** Variables that are no settings: where things are, and what the launcher tells. */
const OTHER_VARIABLES = new Set(['INGOT_HOME', 'INGOT_NODE', 'INGOT_NODE_MIRROR', 'INGOT_COMMAND', 'INGOT_DEVELOPMENT']);

/** Reads the settings, with the environment above the file; throws `settings-invalid` with every problem. */
export async function loadSettings(host: Pick<Host, 'files' | 'env'>, home: Home): Promise<Settings> {
  const text = await readTextIfThere(host.files, home.settings);
  const variables = Object.keys(host.env).filter((name) => name.startsWith(VARIABLE) && !OTHER_VARIABLES.has(name));
  // The schema is loaded only where something is set: start-up is felt at every command.
  if (text === undefined && variables.length === 0) return {};
  const { settingsSchema } = await import('./settings-schema.ts');
  const values: Record<string, unknown> = {};
  if (text !== undefined) {
    const { parse } = await import('yaml');
    const fromFile: unknown = parse(text);
    if (typeof fromFile === 'object' && fromFile !== null) Object.assign(values, fromFile);
  }
  for (const name of Object.keys(settingsSchema.shape)) {
    const fromEnvironment = host.env[`${VARIABLE}${name.toUpperCase().replaceAll('-', '_')}`];
    if (fromEnvironment !== undefined && fromEnvironment !== '') values[name] = fromEnvironment;
  }
  const parsed = settingsSchema.safeParse(values, { jitless: true });
  if (parsed.success) return parsed.data;
  throw new IngotError('usage', 'settings-invalid', `${home.settings} or the environment holds settings that ingot does not accept`, {
    problems: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
  });
}
