import { IngotError } from '../base/errors.ts';
import { openSecrets, secretFinder, type Secrets } from '../base/secrets.ts';
import { placedProblems } from './placed.ts';
import type { Scope } from './scope.ts';
import { pathText, placeAt, type Node, type PlacedProblem } from './source.ts';

/** Shorter values are found in ordinary text. */
const SHORTEST = 6;

interface Known {
  readonly name: string;
  readonly value: string;
  readonly isIn: (text: string) => boolean;
}

const KNOWN = new WeakMap<Secrets, Promise<Known[]>>();

/**
 * Looks for the values of secrets in the template and in the files that it brings in: an image would hold them in plain, its layers' history
 * too. Throws `secret-in-template` where nothing else is wrong, with the names and places, never the values.
 */
export async function refuseSecrets(scope: Scope): Promise<void> {
  if (scope.loaded.files.length === 0) return;
  const secrets = (await knownSecrets(scope)).filter(({ value }) => value.trim().length >= SHORTEST);
  if (secrets.length === 0) return;
  const found: PlacedProblem[] = [];
  const { tree } = scope.loaded;
  for (const { name, value, isIn } of secrets) {
    const hint = `Use it by its name: \`secrets: { VARIABLE: ${name} }\` in the step. If the template was shared, replace the secret.`;
    walk(tree, [], (text, path) => {
      if (isIn(text)) found.push({ path: pathText(path), message: `holds the secret ${name} in plain`, hint, place: placeAt(tree, path), confidential: true });
    });
    const bytes = Buffer.from(value.trim());
    for (const { path, name: file, bytes: content } of scope.contents) {
      if (Buffer.from(content.buffer, content.byteOffset, content.byteLength).includes(bytes)) {
        found.push({ path: pathText(path), message: `${file} holds the secret ${name} in plain`, hint, place: placeAt(tree, path), confidential: true });
      }
    }
  }
  if (found.length === 0) return;
  // What else is wrong may show the same line.
  if (scope.problems.length > 0) {
    const all = scope.problems.splice(0).map((problem) => ({ ...problem, confidential: true }));
    scope.problems.push(...all, ...found);
    return;
  }
  const names = [...new Set(secrets.filter(({ name }) => found.some(({ message }) => message.includes(` ${name} `))).map(({ name }) => name))];
  throw new IngotError(
    'usage',
    'secret-in-template',
    `The template holds ${names.length === 1 ? `the secret ${names.join('')}` : `the secrets ${names.join(', ')}`} in plain`,
    {
      problems: placedProblems(found, scope.context.folder),
      hint: 'Everybody who has the image could read it. A step gets a secret as an environment variable, and it is never stored.',
    },
  );
}

/** All secrets of the home, and those that the environment alone gives and the template names. */
async function knownSecrets(scope: Scope): Promise<Known[]> {
  const used = scope.usedSecrets();
  // A store with a passphrase is not opened for a template that uses none of it: nobody would expect to be asked.
  const { host, home } = scope.context;
  // Most homes have no secrets, and what decrypts is large.
  if (used.length === 0 && (await host.files.status(home.secrets)) === undefined) return [];
  const secrets = used.length > 0 ? scope.secrets : quietSecrets(scope);
  const known = KNOWN.get(secrets) ?? readAll(secrets);
  KNOWN.set(secrets, known);
  let all: Known[];
  try {
    all = await known;
  } catch (error) {
    if (used.length > 0 || !(error instanceof IngotError)) throw error;
    scope.context.events.message('warn', `The secrets could not be opened, so it was not checked that the template holds none of them (${error.message})`);
    return [];
  }
  const more = await Promise.all(
    used.filter((name) => !all.some((secret) => secret.name === name)).map(async (name) => knownAs(name, await secrets.value(name).catch(() => ''))),
  );
  return [...all, ...more];
}

const QUIET = new WeakMap<Secrets, Secrets>();

/** The same secrets, without anybody to ask for a passphrase. */
function quietSecrets({ context, secrets }: Scope): Secrets {
  const known = QUIET.get(secrets) ?? openSecrets({ host: context.host, home: context.home });
  QUIET.set(secrets, known);
  return known;
}

async function readAll(secrets: Secrets): Promise<Known[]> {
  return await Promise.all((await secrets.names()).map(async (name) => knownAs(name, await secrets.value(name))));
}

function knownAs(name: string, value: string): Known {
  return { name, value, isIn: secretFinder(value) };
}

function walk(node: Node, path: readonly (string | number)[], visit: (text: string, path: readonly (string | number)[]) => void): void {
  if (node.kind === 'value') {
    if (typeof node.value === 'string') visit(node.value, path);
  } else if (node.kind === 'list') {
    for (const [i, item] of node.items.entries()) walk(item, [...path, i], visit);
  } else {
    for (const [key, { value }] of node.entries) walk(value, [...path, key], visit);
  }
}
