import { isMap, parseDocument, stringify } from 'yaml';
import { IngotError, nearest } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { removeLeftovers } from '../base/leftovers.ts';
import { takeLock } from '../base/lock.ts';
import { parseName } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { checkTree } from '../template/check-tree.ts';
import { placedProblems } from '../template/placed.ts';
import { parseSource, type PlacedProblem } from '../template/source.ts';
import { BUILT_IN_PROFILES, profilesSchema, type Profile } from './profile.ts';

type ProfilesContext = Pick<Context, 'host' | 'home'>;

/** A profile, and whose it is: `changed` is one of the user's that stands in the place of a built-in one. */
export interface NamedProfile {
  readonly name: string;
  readonly origin: 'built-in' | 'own' | 'changed';
  readonly profile: Profile;
}

/** Every profile, the built-in ones first. Throws `profiles-invalid` with every problem of the user's file at its line and column. */
export async function listProfiles({ host, home }: ProfilesContext): Promise<NamedProfile[]> {
  const own = readProfiles((await readTextIfThere(host.files, home.profiles)) ?? '', home.profiles);
  const builtIn = Object.entries(BUILT_IN_PROFILES).map(([name, profile]): NamedProfile => ({
    name,
    origin: own[name] === undefined ? 'built-in' : 'changed',
    profile: own[name] ?? profile,
  }));
  const others = Object.entries(own).flatMap(([name, profile]): NamedProfile[] =>
    BUILT_IN_PROFILES[name] === undefined ? [{ name, origin: 'own', profile }] : [],
  );
  return [...builtIn, ...others.toSorted((a, b) => (a.name < b.name ? -1 : 1))];
}

/** A profile by its name. Throws `profile-unknown` with the nearest names, `profiles-invalid`. */
export async function findProfile(context: ProfilesContext, name: string): Promise<NamedProfile> {
  const all = await listProfiles(context);
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw profileUnknown(
    name,
    all.map((one) => one.name),
  );
}

/** Changes what is given of a profile, and takes out what is undefined; one that is not there is made. Comments in the file stay. Throws `name-invalid`, `profiles-invalid`. */
export async function changeProfile(context: ProfilesContext, name: string, change: Readonly<Partial<Record<keyof Profile, unknown>>>): Promise<NamedProfile> {
  parseName(name, 'a profile');
  await changeFile(context, (text) => {
    const known = readProfiles(text, context.home.profiles)[name] ?? BUILT_IN_PROFILES[name] ?? {};
    return changedProfiles(text, name, Object.fromEntries(Object.entries({ ...known, ...change }).filter(([, value]) => value !== undefined)));
  });
  return await findProfile(context, name);
}

/** Removes one of the user's profiles; a built-in one of that name holds again. Throws `profile-unknown`, `profile-built-in`. */
export async function removeProfile(context: ProfilesContext, name: string): Promise<{ readonly builtIn: boolean }> {
  const { origin } = await findProfile(context, name);
  if (origin === 'built-in') {
    throw new IngotError('usage', 'profile-built-in', `${name} is a built-in profile, which is always there`, {
      hint: `\`ingot profile set ${name}\` changes it for you.`,
    });
  }
  await changeFile(context, (text) => changedProfiles(text, name, undefined));
  return { builtIn: origin === 'changed' };
}

/** The profiles in the text of a file. Throws `profiles-invalid`. */
export function readProfiles(text: string, file: ProfilesContext['home']['profiles']): Record<string, Profile> {
  const { source, root, problems } = parseSource(file, text);
  if (problems.length === 0 && (root === undefined || (root.kind === 'value' && root.value === null))) return {};
  if (root?.kind !== 'map') {
    const empty: PlacedProblem = { message: 'is not a list of profiles, each a name with what it says below', place: { source, offset: 0 } };
    throw profilesInvalid(file, problems.length > 0 ? problems : [empty]);
  }
  const { value } = checkTree(profilesSchema, root, problems);
  if (value === undefined || problems.length > 0) throw profilesInvalid(file, problems);
  return value;
}

/** The text with one profile changed, or without it. The text is one that {@link readProfiles} accepts. */
export function changedProfiles(text: string, name: string, profile: Readonly<Record<string, unknown>> | undefined): string {
  const document = parseDocument(text);
  if (!isMap(document.contents)) {
    if (profile === undefined) return text;
    // Comments of a file without a profile yet stand before what comes.
    return `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${stringify({ [name]: profile }, { lineWidth: 0 })}`;
  }
  if (profile === undefined) document.delete(name);
  else document.set(name, document.createNode(profile));
  return document.toString({ lineWidth: 0 });
}

async function changeFile({ host, home }: ProfilesContext, change: (text: string) => string): Promise<void> {
  await using _lock = await takeLock(host, home, 'profiles', { what: 'change of profiles' });
  await removeLeftovers(host.files, home.profiles);
  const before = (await readTextIfThere(host.files, home.profiles)) ?? '';
  readProfiles(before, home.profiles);
  const after = change(before);
  readProfiles(after, home.profiles);
  if (after !== before) await replaceFile(host.files, home.profiles, after);
}

function profilesInvalid(file: string, problems: readonly PlacedProblem[]): IngotError {
  return new IngotError('usage', 'profiles-invalid', `The profiles in ${file} have ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}`, {
    problems: placedProblems(problems, undefined),
    hint: 'Mend the file with an editor; docs/lab-images.md says what a profile may say.',
  });
}

function profileUnknown(name: string, names: readonly string[]): IngotError {
  const near = nearest(name, names);
  return new IngotError('not-found', 'profile-unknown', `There is no profile ${name}`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `There are ${names.join(', ')}.`,
  });
}
