import { basename, dirname, join, relative } from 'node:path';
import { stringify } from 'yaml';
import { IngotError, nearest } from '../../../base/errors.ts';
import type { Host } from '../../../base/host.ts';
import type { Release } from '../../../catalog/schema.ts';
import { escapeReferences } from '../../../template/variables.ts';
import type { Build, Note, PackerTemplate, Part } from './packer-template.ts';
import { readProvisioner, type FindFile, type ImportedStep } from './provisioners.ts';
import { ImportScope } from './scope.ts';
import { readSource, SOURCE_TYPES, type SourceType } from './source.ts';

/** A template of Packer as one of ingot's. */
export interface ImportedTemplate {
  readonly name: string;
  /** The template, as its file has it. */
  readonly template: Readonly<Record<string, unknown>>;
  readonly notes: readonly Note[];
}

export interface ImportOptions {
  readonly variables: Readonly<Record<string, string>>;
  readonly releases: readonly Release[];
  /** What a template is called that has no name. */
  readonly name: string;
  /** Finds files that it names. */
  readonly find: FindFile;
}

/** What ingot does instead of a post-processor. */
const AFTERWARDS: Readonly<Record<string, string>> = {
  compress: 'what is exported is compressed (ingot image export)',
  checksum: 'every blob of the store is called by its SHA-256',
  manifest: 'ingot image show --json',
  'shell-local': 'a command after ingot build',
  artifice: 'outputs of the template',
};

/**
 * What a template of Packer says, as a template of ingot, with all that did not carry over. Throws `packer-source-unsupported` where none of its sources
 * becomes an image of ingot, and `packer-variable-unknown`.
 */
export async function importTemplate(packer: PackerTemplate, options: ImportOptions): Promise<ImportedTemplate> {
  const scope = new ImportScope(packer, options.variables);
  const { part, type, builds } = chooseSource(scope);
  const source = readSource(scope, part, type, options.releases);
  const steps: ImportedStep[] = [];
  for (const build of builds) {
    for (const provisioner of build.provisioners) {
      if (isMeant(scope, provisioner, `${part.type}.${part.name}`, part.name)) steps.push(...(await readProvisioner(scope, provisioner, options.find)));
    }
    for (const after of build.postProcessors) {
      const instead = AFTERWARDS[after.type];
      scope.note(after.file, after.place, `the post-processor ${after.type}${instead === undefined ? ' has no counterpart' : `: ${instead}`}`);
    }
  }
  const [strange] = scope.strange;
  if (strange !== undefined) {
    const known = [...packer.variables.keys()];
    const near = nearest(strange, known);
    throw new IngotError('usage', 'packer-variable-unknown', `--var sets ${strange}, which the template neither declares nor uses`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : known.length > 0 ? `It declares ${known.join(', ')}.` : 'It declares no variables.',
    });
  }
  for (const other of packer.others)
    scope.note(other.file, other.place, `the block ${other.type}${other.name === '' ? '' : ` ${other.name}`} has no counterpart`);
  const name = nameFor(source.name ?? '') ?? options.name;
  const template = {
    name,
    ...(source.from === undefined ? {} : { from: source.from }),
    ...(source.size === undefined ? {} : { disk: { size: source.size } }),
    ...(steps.length === 0 ? {} : { steps }),
  };
  const notes = scope.notes.toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.place.line - b.place.line || a.place.column - b.place.column));
  return {
    name,
    template: escaped(template),
    notes: notes.filter((note, i) => notes.findIndex((other) => other.message === note.message && other.place.line === note.place.line) === i),
  };
}

/** The source that becomes the image: the first of the kinds that are known best. */
function chooseSource(scope: ImportScope): { readonly part: Part; readonly type: SourceType; readonly builds: readonly Build[] } {
  const { sources, builds } = scope.template;
  const used = sources.filter(
    ({ type, name }) => builds.length === 0 || builds.some((build) => build.sources.some((each) => each.name === `source.${type}.${name}`)),
  );
  const type = SOURCE_TYPES.find((each) => used.some((part) => part.type === each));
  const chosen = used.find((part) => part.type === type);
  if (type === undefined || chosen === undefined) {
    throw new IngotError(
      'usage',
      'packer-source-unsupported',
      sources.length === 0
        ? 'The template has no source'
        : `No source of the template becomes an image of ingot: ${sources.map((part) => `${part.type}.${part.name}`).join(', ')}`,
      {
        hint: `Sources of ${SOURCE_TYPES.join(', ')} do.`,
      },
    );
  }
  for (const part of sources) {
    if (part !== chosen)
      scope.note(part.file, part.place, `the source ${part.type}.${part.name}: a template is one image, and is published to platforms (ingot publish)`);
  }
  const of = `source.${type}.${chosen.name}`;
  const own = builds.filter((build) => build.sources.some(({ name }) => name === of));
  const overrides = own.flatMap((build) => build.sources.flatMap(({ name, body }) => (name === of && body !== undefined ? [body] : [])));
  // What a build says of its source wins.
  const body = overrides.reduce(
    (all, more) => ({ arguments: new Map([...all.arguments, ...more.arguments]), blocks: [...more.blocks, ...all.blocks] }),
    chosen.body,
  );
  return { part: { ...chosen, body }, type, builds: own };
}

/** Whether a provisioner runs for a source. */
function isMeant(scope: ImportScope, part: Part, ...names: readonly string[]): boolean {
  const only = scope.texts(part, 'only');
  return (only.length === 0 || only.some((name) => names.includes(name))) && !scope.texts(part, 'except').some((name) => names.includes(name));
}

/** As an image can be called; undefined where nothing is left. */
export function nameFor(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replace(/\.(qcow2|img|raw|pkr\.hcl|pkr\.json|json)$/, '')
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 63)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return name === '' ? undefined : name;
}

/** What looks like a variable of ingot's is none. */
function escaped<T>(value: T): T;
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return escapeReferences(value);
  if (Array.isArray(value)) return value.map((item) => escaped(item));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
  return value;
}

/** Looks for files as Packer does, relative to the folder of its template, and names them relative to the template that is written. */
export function fileFinder({ files }: Pick<Host, 'files'>, folder: string, target: string): FindFile {
  return async (path) => {
    const at = join(folder, path);
    const status = await files.status(at);
    if (path.startsWith('/') || status === undefined) return undefined;
    const named = relative(dirname(target), at);
    if (status.kind === 'directory') return { kind: 'folder', isProgram: false, path: named === '' ? '.' : named };
    const isProgram = Buffer.from(await files.readPart(at, 0, 2)).toString('latin1') === '#!';
    return { kind: 'file', isProgram, path: named };
  };
}

/** The file of the template, with what did not carry over as its first lines. */
export function templateText({ template, notes }: ImportedTemplate, from: string): string {
  const about = [
    `From ${from}, by ingot packer import. Steps run as root, in order; each is a layer, made again only when it changes.`,
    ...(notes.length === 0
      ? []
      : ['What did not carry over:', ...notes.map(({ file, place, message }) => `  ${basename(file)}:${place.line}:${place.column} ${message}`)]),
  ];
  return `${about.map((line) => `# ${line.replaceAll(/\s*\n\s*/g, ' ')}\n`).join('')}\n${stringify(template, { lineWidth: 0, blockQuote: 'literal' })}`;
}
