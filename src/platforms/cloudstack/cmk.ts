import { IngotError, nearest } from '../../base/errors.ts';
import type { Keys } from './signing.ts';

/** What a profile of cloudmonkey (cmk) says of a connection. */
export interface CmkProfile extends Keys {
  readonly name: string;
  readonly url: string;
  /** Whether certificates are checked: ingot always does, and says so. */
  readonly verify: boolean;
}

/** Where cloudmonkey has its settings, below the user's home. */
export const CMK_CONFIG = '.cmk/config';

/** Sections of an INI file, as cloudmonkey writes it: keys in lower case, a value up to the end of its line. */
export function parseIni(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[(.*)\]\s*$/.exec(line)?.[1]?.trim();
    if (section !== undefined) {
      current = sections.get(section) ?? new Map<string, string>();
      sections.set(section, current);
      continue;
    }
    const [, key, value] = /^\s*([^=;#\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) current?.set(key.toLowerCase(), unquoted(value));
  }
  return sections;
}

/** A value that holds a hash or a semicolon is written between backquotes or quotation marks. */
function unquoted(value: string): string {
  return /^(["'`])(.*)\1$/.exec(value)?.[2] ?? value;
}

/**
 * A profile of cloudmonkey's settings by its name; without one, the profile in use. Throws `cmk-profile-unknown` with the nearest names, and
 * `cmk-profile-without-keys` where it logs in by a password.
 */
export function cmkProfile(text: string, name: string | undefined, path: string): CmkProfile {
  const sections = parseIni(text);
  const names = [...sections.keys()].filter((one) => sections.get(one)?.has('url') === true);
  const core = sections.get('core');
  const wanted = name ?? core?.get('profile') ?? names[0] ?? '';
  const section = sections.get(wanted);
  const url = section?.get('url');
  if (section === undefined || url === undefined) {
    const near = nearest(wanted, names);
    throw new IngotError('not-found', 'cmk-profile-unknown', `${path} has no profile ${wanted === '' ? 'at all' : wanted}`, {
      hint: names.length === 0 ? '`cmk set profile NAME` makes one.' : `There are ${(near.length > 0 ? near : names).join(', ')}.`,
    });
  }
  const [apiKey, secretKey] = [section.get('apikey') ?? '', section.get('secretkey') ?? ''];
  if (apiKey === '' || secretKey === '') {
    throw new IngotError('usage', 'cmk-profile-without-keys', `The profile ${wanted} of ${path} has no API key`, {
      hint: '`cmk -p PROFILE sync` gets one for a user with a password, or the web interface shows it under the user.',
    });
  }
  return { name: wanted, url, apiKey, secretKey, verify: (core?.get('verifycert') ?? 'true') !== 'false' };
}
