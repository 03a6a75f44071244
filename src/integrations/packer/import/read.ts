import { join } from 'node:path';
import { IngotError, type Problem } from '../../../base/errors.ts';
import type { Host } from '../../../base/host.ts';
import { argumentOf } from '../hcl/evaluate.ts';
import { parseHcl, parseJson } from '../hcl/parse.ts';
import { HclFault, type Block, type Body, type Expression } from '../hcl/syntax.ts';
import { bodyOfJson, bodyOfOldJson, TEMPLATE_KINDS } from './json-body.ts';
import type { Build, DeclaredVariable, PackerTemplate, Part } from './packer-template.ts';

/** Nobody writes longer ones by hand. */
const LARGEST = 2 * 2 ** 20;

/** The files that Packer would read: one, or those of a folder, in its order. Throws `packer-template-missing`. */
export async function templateFiles({ files }: Pick<Host, 'files'>, path: string): Promise<string[]> {
  const real = await files.resolveLinks(path);
  const status = real === undefined ? undefined : await files.status(real);
  if (status === undefined) throw new IngotError('not-found', 'packer-template-missing', `There is no ${path}`);
  if (status.kind !== 'directory') return [path];
  const names = (await files.list(path)).filter((name) => /\.(pkr|auto\.pkrvars)\.(hcl|json)$/.test(name));
  if (!names.some((name) => /\.pkr\.(hcl|json)$/.test(name))) {
    throw new IngotError('not-found', 'packer-template-missing', `There is no *.pkr.hcl and no *.pkr.json in ${path}`, {
      hint: 'A template of the old kind is given by its file.',
    });
  }
  return names.map((name) => join(path, name));
}

/** Reads templates of Packer as one. Throws `packer-invalid` at the line of the first fault of each file, and `file-too-large`. */
export async function readPackerTemplate({ files }: Pick<Host, 'files'>, paths: readonly string[]): Promise<PackerTemplate> {
  const problems: Problem[] = [];
  const read = new Reader();
  for (const file of paths) {
    const bytes = await files.read(file);
    if (bytes.length > LARGEST) throw new IngotError('usage', 'file-too-large', `${file} is larger than ${LARGEST / 2 ** 20} MiB`);
    const text = new TextDecoder().decode(bytes);
    try {
      read.file(file, text);
    } catch (error) {
      if (!(error instanceof HclFault)) throw error;
      const source = text.split('\n')[error.place.line - 1];
      problems.push({ message: error.message, position: { file, ...error.place }, ...(source === undefined ? {} : { source }) });
    }
  }
  if (problems.length > 0)
    throw new IngotError('usage', 'packer-invalid', `${problems.length === 1 ? 'The template' : 'Templates'} cannot be read`, { problems });
  return read.template;
}

class Reader {
  readonly #variables = new Map<string, DeclaredVariable>();
  readonly #given = new Map<string, Expression>();
  readonly #locals = new Map<string, Expression>();
  readonly #sources: Part[] = [];
  readonly #builds: Build[] = [];
  readonly #others: Part[] = [];

  get template(): PackerTemplate {
    const variables = new Map([...this.#variables].map(([name, variable]) => [name, { ...variable, value: this.#given.get(name) ?? variable.value }]));
    return { variables, locals: this.#locals, sources: this.#sources, builds: this.#builds, others: this.#others };
  }

  file(file: string, text: string): void {
    const isJson = file.endsWith('.json');
    if (/\.pkrvars\.(hcl|json)$/.test(file)) {
      for (const { name, value } of (isJson ? jsonBody(text) : parseHcl(text)).arguments.values()) this.#given.set(name, value);
      return;
    }
    if (!isJson) return this.#body(file, parseHcl(text));
    const json = parseJson(text);
    if (json.kind !== 'object') throw new HclFault('is no map', json.place);
    if (json.entries.some(({ name }) => name === 'builders')) this.#old(file, json);
    else this.#body(file, bodyOfJson(json, TEMPLATE_KINDS));
  }

  #body(file: string, body: Body): void {
    for (const { name, place } of body.arguments.values()) throw new HclFault(`says ${name} outside of any block`, place);
    for (const block of body.blocks) this.#block(file, block);
  }

  #block(file: string, { type, labels, place, body }: Block): void {
    const [first = '', second = ''] = labels;
    const want = (count: number): void => {
      if (labels.length !== count) throw new HclFault(`has a block ${type} with ${labels.length} names; it has ${count}`, place);
    };
    switch (type) {
      case 'packer':
        return;
      case 'variable': {
        want(1);
        const sensitive = argumentOf(body, 'sensitive');
        const isSensitive = sensitive?.kind === 'literal' && sensitive.value === true;
        this.#variables.set(first, { file, place, value: argumentOf(body, 'default'), sensitive: isSensitive });
        return;
      }
      case 'variables':
        for (const { name, place: at, value } of body.arguments.values()) this.#variables.set(name, { file, place: at, value, sensitive: false });
        return;
      case 'locals':
        for (const { name, value } of body.arguments.values()) this.#locals.set(name, value);
        return;
      case 'local': {
        want(1);
        const value = argumentOf(body, 'expression');
        if (value !== undefined) this.#locals.set(first, value);
        return;
      }
      case 'source':
        want(2);
        this.#sources.push({ type: first, name: second, file, place, body });
        return;
      case 'build':
        this.#builds.push(buildOf(file, place, body));
        return;
      default:
        this.#others.push({ type, name: labels.join('.'), file, place, body });
    }
  }

  /** The JSON of before HCL2: lists of builders, provisioners and post-processors. */
  #old(file: string, json: Extract<Expression, { kind: 'object' }>): void {
    const parts = (key: string): Part[] => {
      const list = json.entries.find(({ name }) => name === key)?.value;
      if (list?.kind !== 'list') return [];
      return list.items.flatMap((item): Part[] => {
        if (item.kind === 'literal' && typeof item.value === 'string')
          return [{ type: item.value, name: '', file, place: item.place, body: { arguments: new Map(), blocks: [] } }];
        if (item.kind !== 'object') return [];
        const text = (name: string): string => {
          const value = item.entries.find((entry) => entry.name === name)?.value;
          return value?.kind === 'literal' && typeof value.value === 'string' ? value.value : '';
        };
        return [{ type: text('type'), name: text('name') || text('type'), file, place: item.place, body: bodyOfOldJson(item) }];
      });
    };
    const named = (key: string): readonly Expression[] => {
      const list = json.entries.find(({ name }) => name === key)?.value;
      return list?.kind === 'list' ? list.items : [];
    };
    const hidden = named('sensitive-variables').flatMap((item) => (item.kind === 'literal' ? [item.value] : []));
    const variables = json.entries.find(({ name }) => name === 'variables')?.value;
    if (variables?.kind === 'object') {
      for (const { name, value: whole } of bodyOfOldJson(variables).arguments.values()) {
        const value = whole.kind === 'literal' && whole.value === null ? undefined : whole;
        this.#variables.set(name, { file, place: whole.place, value, sensitive: hidden.includes(name) });
      }
    }
    const sources = parts('builders');
    this.#sources.push(...sources);
    this.#builds.push({
      file,
      place: json.place,
      sources: sources.map(({ type, name }) => ({ name: `source.${type}.${name}`, body: undefined })),
      provisioners: parts('provisioners'),
      postProcessors: parts('post-processors'),
    });
  }
}

function jsonBody(text: string): Body {
  const json = parseJson(text);
  if (json.kind !== 'object') throw new HclFault('is no map', json.place);
  return bodyOfJson(json, {});
}

function buildOf(file: string, place: Build['place'], body: Body): Build {
  const list = argumentOf(body, 'sources');
  const named = (list?.kind === 'list' ? list.items : []).map((item) => ({ name: nameOf(item), body: undefined }));
  const part = ({ type, labels, place: at, body: inner }: Block): Part => ({ type: labels[0] ?? type, name: labels[0] ?? type, file, place: at, body: inner });
  const within = (type: string): Part[] => body.blocks.filter((block) => block.type === type).map(part);
  const groups = body.blocks.filter(({ type }) => type === 'post-processors').flatMap((group) => group.body.blocks.map(part));
  return {
    file,
    place,
    sources: [...named, ...body.blocks.filter(({ type }) => type === 'source').map((block) => ({ name: block.labels.join('.'), body: block.body }))].map(
      ({ name, body: own }) => ({
        name: name.startsWith('source.') ? name : `source.${name}`,
        body: own,
      }),
    ),
    provisioners: within('provisioner'),
    postProcessors: [...within('post-processor'), ...groups],
  };
}

function nameOf(item: Expression): string {
  if (item.kind === 'reference') return item.path.join('.');
  return item.kind === 'literal' ? String(item.value) : '';
}
