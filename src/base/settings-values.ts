import { IngotError, nearest, type Problem } from './errors.ts';
import { PROJECT_MAY_SET, settingNames, settingsSchema, type SettingName } from './settings-schema.ts';

/** A value written as text (environment, command line), or what is wrong with it; the problem never holds the value. */
export function settingFromText(name: SettingName, text: string): { readonly value: string | number } | { readonly problem: Problem } {
  const candidates = /^-?\d+(\.\d+)?$/.test(text) ? [text, Number(text)] : [text];
  const failures = candidates.map((value) => ({ value, problem: valueProblem(name, value) }));
  const fit = failures.find(({ problem }) => problem === undefined);
  if (fit !== undefined) return { value: fit.value };
  return { problem: failures.at(-1)?.problem ?? { message: 'is not accepted' } };
}

/** What is wrong with a value, in words that follow the name; undefined where it is good. */
export function valueProblem(name: SettingName, value: unknown): Problem | undefined {
  const parsed = settingsSchema.shape[name].safeParse(value, { jitless: true });
  const [issue] = parsed.success ? [] : parsed.error.issues;
  if (issue === undefined) return undefined;
  if (issue.code === 'invalid_value') {
    const choices = issue.values.map(String);
    const guesses = nearest(String(value), choices);
    return { message: `is not one of ${choices.join(', ')}`, ...(guesses.length === 0 ? {} : { hint: `Did you mean ${guesses.join(' or ')}?` }) };
  }
  return { message: issue.message.startsWith('is ') ? issue.message : `is not a text` };
}

/** What to try instead of a name that no setting has. */
export function unknownHint(text: string): string {
  const guesses = nearest(text, settingNames());
  return guesses.length > 0 ? `Did you mean ${guesses.join(' or ')}?` : '`ingot config list` shows all settings.';
}

/** Why a project's file may not say this; undefined where it may. */
export function projectProblem(name: SettingName, value: unknown): Problem | undefined {
  const allowed = PROJECT_MAY_SET[name];
  if (allowed?.(value) === true) return undefined;
  return {
    message: allowed === undefined ? 'cannot be set by the file of a project' : `cannot be ${String(value)} in the file of a project`,
    hint: 'It comes with files that others wrote. Set it for yourself: ingot config set without --project.',
  };
}

/** `settings-invalid`, with every problem at its place. */
export function settingsInvalid(problems: readonly Problem[]): IngotError {
  return new IngotError('usage', 'settings-invalid', 'There are settings that ingot does not accept', {
    problems,
    hint: '`ingot config edit` opens your file, with --project that of the project; a variable is changed where it is set.',
  });
}
