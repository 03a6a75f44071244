import { dirname } from 'node:path';
import { systemErrorCode } from '../base/errors.ts';
import type { Files } from '../base/files.ts';
import { formatSize, type HostPath } from '../base/types.ts';
import { confine, type TemplateContext } from './confine.ts';
import { shownFile } from './placed.ts';
import type { Reading } from './reading.ts';
import { MAX_FILE_SIZE, parseSource, type MapNode, type Node, type Place, type PlacedProblem } from './source.ts';
import { references } from './variables.ts';

/** Files that one template may be joined from. */
const MAX_FILES = 100;

/** A file of a template, read. */
export interface Fragment {
  readonly root: Node | undefined;
  readonly problems: readonly PlacedProblem[];
}

/**
 * The parts of a template, in the order in which they are joined: what a file extends, what it includes, itself. A file that is named twice
 * is joined once. Adds what is wrong to the problems: of the files' form, of circles, of what is missing.
 */
export async function collectFragments(
  context: TemplateContext,
  reading: Reading,
  file: HostPath,
  root: HostPath,
  problems: PlacedProblem[],
): Promise<MapNode[]> {
  const collector = new Collector(context, reading, root, problems);
  await collector.collect(file, undefined, []);
  return collector.fragments;
}

class Collector {
  readonly fragments: MapNode[] = [];
  readonly #context: TemplateContext;
  readonly #reading: Reading;
  readonly #root: HostPath;
  readonly #problems: PlacedProblem[];
  readonly #seen = new Set<string>();

  constructor(context: TemplateContext, reading: Reading, root: HostPath, problems: PlacedProblem[]) {
    this.#context = context;
    this.#reading = reading;
    this.#root = root;
    this.#problems = problems;
  }

  /** `named` is where the file is named, `chain` the files that led to it. */
  async collect(file: HostPath, named: Place | undefined, chain: readonly HostPath[]): Promise<void> {
    const shown = (path: string): string => shownFile(path, this.#context.folder);
    if (chain.includes(file)) {
      const circle = [...chain.slice(chain.indexOf(file)), file].map(shown).join(' -> ');
      if (named !== undefined) this.#problems.push({ message: `files that name each other in a circle: ${circle}`, place: named });
      return;
    }
    if (this.#seen.has(file)) return;
    this.#seen.add(file);
    if (this.#seen.size > MAX_FILES) {
      if (named !== undefined && this.#seen.size === MAX_FILES + 1)
        this.#problems.push({ message: `a template is joined from ${MAX_FILES} files at most`, place: named });
      return;
    }
    const { files } = this.#context.host;
    const read = await this.#reading.fragments.get(file, () => readFragment(files, file));
    this.#problems.push(...read.problems);
    if (read.root === undefined) return;
    if (read.root.kind !== 'map') {
      if (read.root.kind === 'list' || read.root.value !== null)
        this.#problems.push({ message: 'is not a template: it must be a map (`key: value`)', place: read.root.place });
      return;
    }
    const { entries } = read.root;
    for (const [key, node] of [...this.#names('extends', entries.get('extends')?.value), ...this.#names('include', entries.get('include')?.value)]) {
      await this.#follow(key, node, file, chain);
    }
    this.fragments.push(read.root);
  }

  async #follow(key: string, { text, place }: { text: string; place: Place }, file: HostPath, chain: readonly HostPath[]): Promise<void> {
    const found = await confine(this.#context.host.files, this.#reading, this.#root, dirname(file), text);
    if ('refusal' in found) this.#problems.push({ path: key, ...found.refusal, place });
    else if (found.kind !== 'file') this.#problems.push({ path: key, message: `${text} is a folder, not a file`, place });
    else await this.collect(found.path, place, [...chain, file]);
  }

  /** The files that `extends` and `include` name; what is not a name is a problem. */
  #names(key: 'extends' | 'include', node: Node | undefined): [string, { text: string; place: Place }][] {
    if (node === undefined || (node.kind === 'value' && node.value === null)) return [];
    const items = key === 'include' && node.kind === 'list' ? node.items : [node];
    return items.flatMap((item): [string, { text: string; place: Place }][] => {
      const { place } = item;
      if (item.kind === 'value' && typeof item.value === 'string' && item.value !== '') {
        if (references(item.value).length === 0) return [[key, { text: item.value, place }]];
        this.#problems.push({ path: key, message: 'cannot hold a variable, since variables are known only once all files are joined', place });
        return [];
      }
      this.#problems.push({ path: key, message: key === 'extends' ? 'must be the name of one file' : 'must be a list of file names', place });
      return [];
    });
  }
}

async function readFragment(files: Files, file: HostPath): Promise<Fragment> {
  const failed = (message: string): Fragment => {
    const { source } = parseSource(file, '');
    return { root: undefined, problems: [{ message, place: { source, offset: 0 } }] };
  };
  const status = await files.status(file);
  if (status?.kind !== 'file') return failed(status === undefined ? 'is not there' : 'is not a file');
  if (status.size > MAX_FILE_SIZE) return failed(`is larger than ${formatSize(MAX_FILE_SIZE)}, which no template is`);
  try {
    return parseSource(file, new TextDecoder('utf-8', { fatal: true }).decode(await files.read(file)));
  } catch (error) {
    if (error instanceof TypeError) return failed('is not text in UTF-8');
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    return failed(`cannot be read (${code})`);
  }
}
