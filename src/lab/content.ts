import { basename, dirname } from 'node:path';
import { hashValue } from '../base/hash.ts';
import type { Host } from '../base/host.ts';
import type { HostPath } from '../base/types.ts';
import { confine, type Confined } from '../template/confine.ts';
import type { Reading } from '../template/reading.ts';
import { readTree } from '../template/tree.ts';
import type { MemberFile, MemberScript } from './model.ts';
import type { Problem } from './read.ts';
import type { LabFileVm } from './schema.ts';

type Path = readonly PropertyKey[];

/** Bytes of a script or of user-data; a larger one is a mistake. */
const MAX_TEXT = 2 ** 20;

/** Reads what a lab file brings in. Nothing out of its folder can be named, so that a file of somebody else gives away nothing of this host. */
export class ContentReader {
  readonly #host: Host;
  readonly #reading: Reading;
  readonly #file: HostPath;

  constructor(host: Host, reading: Reading, file: HostPath) {
    this.#host = host;
    this.#reading = reading;
    this.#file = file;
  }

  async files(files: LabFileVm['files'], path: Path, problem: Problem): Promise<MemberFile[]> {
    const found: MemberFile[] = [];
    for (const [index, { copy, to, owner, mode }] of files.entries()) {
      const at = [...path, index];
      const source = await this.#confined(copy, [...at, 'copy'], problem);
      if (source === undefined) continue;
      if (to.endsWith('/') && source.kind === 'directory') problem([...at, 'to'], `must be the folder's own path, without the last /`);
      const target = to.endsWith('/') ? `${to}${basename(source.path)}` : to;
      if (found.some((other) => other.to === target)) problem([...at, 'to'], `is where another file goes already: ${target}`);
      const options = { root: await this.#reading.root(this.#file), ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }) };
      const { tree, refusals } = await readTree(this.#host, source.path, options, await this.#reading.digests());
      for (const refusal of refusals) problem([...at, 'copy'], refusal.message, refusal.hint);
      found.push({ copy, to: target, owner, tree, hash: hashValue({ to: target, owner, single: tree.single, entries: tree.entries }) });
    }
    return found;
  }

  async scripts(scripts: LabFileVm['scripts'], path: Path, problem: Problem): Promise<MemberScript[]> {
    const found: MemberScript[] = [];
    for (const [index, given] of scripts.entries()) {
      const script = typeof given === 'string' ? { script: given, when: 'once' as const } : given;
      const always = script.when === 'always';
      if ('run' in script) {
        const content = `#!/bin/sh\nset -eu\n${script.run}\n`;
        found.push({ label: firstLine(script.run), content, always, hash: hashValue(content) });
        continue;
      }
      const at = [...path, index, ...(typeof given === 'string' ? [] : ['script'])];
      const content = await this.text(script.script, at, problem);
      if (content !== undefined) found.push({ label: script.script, content, always, hash: hashValue(content) });
    }
    return found;
  }

  /** A text beside the lab file; undefined where that was told to be wrong. */
  async text(text: string, path: Path, problem: Problem): Promise<string | undefined> {
    const found = await this.#confined(text, path, problem);
    if (found === undefined) return undefined;
    if (found.kind !== 'file') return void problem(path, 'is a folder');
    if (found.status.size > MAX_TEXT) return void problem(path, 'is larger than 1 MiB');
    return Buffer.from(await this.#host.files.read(found.path)).toString('utf8');
  }

  async #confined(text: string, path: Path, problem: Problem): Promise<Confined | undefined> {
    const found = await confine(this.#host.files, this.#reading, await this.#reading.root(this.#file), dirname(this.#file), text);
    if (!('refusal' in found)) return found;
    problem(path, found.refusal.message.replaceAll("template's", "lab file's"), found.refusal.hint);
    return undefined;
  }
}

function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 50 ? `${line.slice(0, 49)}…` : line;
}
