import * as z from 'zod';
import { IngotError } from './errors.ts';
import { readTextIfThere } from './files.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';

/** The user's settings, `settings.yaml` in the home. Every setting has an environment variable INGOT_<NAME>. */
export const settingsSchema = z.strictObject({
  mirror: z.url({ protocol: /^https?$/ }).optional().describe('Package mirror that builds download from; the image itself keeps a public one'),
  'security-mirror': z.url({ protocol: /^https?$/ }).optional().describe('Mirror of the security archive; default: the one of the host, else the public one'),
});

export type Settings = z.output<typeof settingsSchema>;

/** Reads the settings, with the environment above the file; throws `settings-invalid` with every problem. */
export async function loadSettings(host: Pick<Host, 'files' | 'env'>, home: Home): Promise<Settings> {
  const text = await readTextIfThere(host.files, home.settings);
  let fromFile: unknown = {};
  if (text !== undefined) {
    const { parse } = await import('yaml');
    fromFile = parse(text) ?? {};
  }
  const values: Record<string, unknown> = { ...z.record(z.string(), z.unknown()).catch({}).parse(fromFile, { jitless: true }) };
  for (const name of Object.keys(settingsSchema.shape)) {
    const fromEnvironment = host.env[`INGOT_${name.toUpperCase().replaceAll('-', '_')}`];
    if (fromEnvironment !== undefined && fromEnvironment !== '') values[name] = fromEnvironment;
  }
  const parsed = settingsSchema.safeParse(values, { jitless: true });
  if (parsed.success) return parsed.data;
  throw new IngotError('usage', 'settings-invalid', `${home.settings} or the environment holds settings that ingot does not accept`, {
    problems: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
  });
}
