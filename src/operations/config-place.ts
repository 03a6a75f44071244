import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { FileLevel } from '../base/settings-file.ts';
import { PROJECT_FILE, projectFile } from '../base/settings.ts';
import type { Context } from './operation.ts';

/** A file of settings that a command changes. */
export interface SettingsTarget {
  readonly file: string;
  readonly level: FileLevel;
}

/** The user's file, or that of the project: the nearest one upwards, else a new one where the user works. Throws `project-unknown`. */
export async function settingsTarget(context: Pick<Context, 'host' | 'home' | 'folder'>, project: boolean): Promise<SettingsTarget> {
  if (!project) return { file: context.home.settings, level: 'user' };
  if (context.folder === undefined) throw new IngotError('usage', 'project-unknown', 'There is no project here whose settings could be changed');
  return { file: (await projectFile(context)) ?? join(context.folder, PROJECT_FILE), level: 'project' };
}
