import type { Problem } from './errors.ts';
import { readTextIfThere } from './files.ts';
import { readSettingsText } from './settings-file.ts';
import { settingNames, settingsSchema, variableOf, type SettingName, type Settings } from './settings-schema.ts';
import { settingFromText, settingsInvalid } from './settings-values.ts';
import { builtInSettings, expandPath, projectFile, type SettingsPlace } from './settings.ts';

/** What decided a setting. A flag is above all of these, but belongs to one command. */
export type Origin = 'environment' | 'project' | 'user' | 'built-in';

/** What one level sets. */
export interface Level {
  readonly origin: Exclude<Origin, 'built-in'>;
  /** The file; undefined for the environment. */
  readonly file?: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
}

/** A setting, what it is and why. */
export interface SettingState {
  readonly name: SettingName;
  /** Undefined where nothing is set and nothing is built in. */
  readonly value: string | number | undefined;
  readonly origin: Origin;
  /** The file or the variable that set it. */
  readonly where: string | undefined;
  readonly default: string | number | undefined;
  readonly description: string;
}

/** Reads every level, from the one that wins down to the one that loses. Throws nothing but what reading a file throws. */
export async function readLevels(place: SettingsPlace): Promise<Level[]> {
  const { host, home } = place;
  const levels = [environmentLevel(host.env)];
  const project = await projectFile(place);
  for (const [origin, file] of [
    ['project', project],
    ['user', home.settings],
  ] as const) {
    const text = file === undefined ? undefined : await readTextIfThere(host.files, file);
    if (file !== undefined && text !== undefined) levels.push({ origin, file, ...readSettingsText(text, file, origin) });
  }
  return levels;
}

function environmentLevel(env: SettingsPlace['host']['env']): Level {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const name of settingNames()) {
    const text = env[variableOf(name)];
    if (text === undefined || text === '') continue;
    const checked = settingFromText(name, text);
    if ('problem' in checked) problems.push({ path: variableOf(name), ...checked.problem });
    else values[name] = checked.value;
  }
  return { origin: 'environment', values, problems };
}

/** The settings that the levels make together. Throws `settings-invalid` with the problems of all of them. */
export function effectiveSettings(levels: readonly Level[], place: SettingsPlace): Settings {
  const problems = levels.flatMap((level) => level.problems);
  if (problems.length > 0) throw settingsInvalid(problems);
  const built = builtInSettings(place.home);
  // The first level wins, so it is laid on last.
  const settings = settingsSchema.parse(Object.assign({}, ...levels.map((level) => level.values).toReversed()), { jitless: true });
  return { ...built, ...settings, ...(settings.templates === undefined ? {} : { templates: expandPath(settings.templates, place.host.env) }) };
}

/** Each setting with its value and where that comes from; values as they are, not fit to be shown. */
export function explainSettings(levels: readonly Level[], place: SettingsPlace): SettingState[] {
  const built: Readonly<Record<string, string | number | undefined>> = builtInSettings(place.home);
  return settingNames().map((name) => {
    const level = levels.find((candidate) => name in candidate.values);
    const value = level?.values[name];
    return {
      name,
      value: typeof value === 'string' || typeof value === 'number' ? value : built[name],
      origin: level?.origin ?? 'built-in',
      where: level === undefined ? undefined : (level.file ?? variableOf(name)),
      default: built[name],
      description: settingsSchema.shape[name].description ?? '',
    };
  });
}
