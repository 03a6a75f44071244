import { basename, dirname, relative } from 'node:path';
import { hostPath } from '../base/types.ts';
import type { TemplateStep } from './schema.ts';
import type { Path, Scope } from './scope.ts';
import type { FileTree, ProgramOptions, ResolvedStep, SecretUse } from './template.ts';
import { seconds } from './text.ts';
import { readTree, type TreeOptions, type TreeReading } from './tree.ts';

/** Bytes of a script. */
const MAX_SCRIPT = 16 * 2 ** 20;
const DEFAULT_MAX_AGE = '7d';
const LONGEST_LABEL = 60;

/** The steps with what they bring in read; those with a problem are left out. */
export async function resolveSteps(scope: Scope): Promise<ResolvedStep[]> {
  const steps = await Promise.all(scope.loaded.template.steps.map((step, i) => resolveStep(scope, step, ['steps', i])));
  return steps.filter((step) => step !== undefined);
}

async function resolveStep(scope: Scope, step: TemplateStep, path: Path): Promise<ResolvedStep | undefined> {
  const label = (made: string): string => step.name ?? (made.length > LONGEST_LABEL ? `${made.slice(0, LONGEST_LABEL - 1)}…` : made);
  if ('run' in step) {
    const first = step.run.split('\n').find((line) => line.trim() !== '') ?? 'run';
    return { kind: 'run', label: label(first.trim()), shell: step.shell, script: step.run, ...(await programOptions(scope, step, path)) };
  }
  if ('script' in step) {
    const at = [...path, 'script'];
    const [read, options] = await Promise.all([scope.contentAt(at, step.script, MAX_SCRIPT), programOptions(scope, step, path)]);
    if (read === undefined) return undefined;
    const start = Buffer.from(read.bytes.subarray(0, 4)).toString('latin1');
    if (!start.startsWith('#!') && start !== '\u007FELF')
      scope.problem(at, 'must be a program: its first line says what runs it', 'For example #!/bin/sh or #!/usr/bin/env python3.');
    const fileName = basename(step.script);
    return {
      kind: 'script',
      label: label(`script ${fileName}`),
      fileName,
      content: Buffer.from(read.bytes).toString('base64'),
      arguments: step.arguments,
      ...options,
    };
  }
  if ('copy' in step) {
    const tree = await treeAt(scope, [...path, 'copy'], step.copy, {
      ...(step.mode === undefined ? {} : { mode: Number.parseInt(step.mode, 8) }),
      ...(step['directory-mode'] === undefined ? {} : { directoryMode: Number.parseInt(step['directory-mode'], 8) }),
    });
    if (tree === undefined) return undefined;
    const inside = step.to.endsWith('/') && tree.single ? `${step.to}${basename(step.copy)}` : step.to;
    const to = inside.length > 1 ? inside.replace(/\/+$/, '') : inside;
    return { kind: 'copy', label: label(`copy ${step.copy} to ${step.to}`), tree, to, owner: step.owner };
  }
  if ('file' in step) return { kind: 'file', label: label(`file ${step.file}`), path: step.file, content: step.content, owner: step.owner, mode: step.mode };
  if ('service' in step) return { kind: 'service', label: label(`service ${step.service} ${step.state}`), service: step.service, state: step.state };
  const at = [...path, 'ansible'];
  const [file, options] = await Promise.all([scope.fileAt(at, step.ansible), programOptions(scope, { ...step, env: {} }, path)]);
  if (file === undefined) return undefined;
  if (file.kind !== 'file') {
    scope.problem(at, `${step.ansible} is a folder, not a playbook`);
    return undefined;
  }
  const folder = hostPath(dirname(file.path));
  const tree = await readAt(scope, at, folder, { without: ['.git'] });
  return { kind: 'ansible', label: label(`ansible ${step.ansible}`), tree, playbook: relative(folder, file.path), variables: step.variables, ...options };
}

async function treeAt(scope: Scope, path: Path, text: string, options: Omit<TreeOptions, 'root'>): Promise<FileTree | undefined> {
  const found = await scope.fileAt(path, text);
  return found === undefined ? undefined : await readAt(scope, path, found.path, options);
}

async function readAt(scope: Scope, path: Path, from: FileTree['root'], options: Omit<TreeOptions, 'root'>): Promise<FileTree> {
  const { root } = scope.loaded;
  const { tree, refusals, contents } = await scope.reading.trees.get(JSON.stringify([from, root, options]), () => readFrom(scope, from, { ...options, root }));
  for (const { message, hint } of refusals) scope.problem(path, message, hint);
  scope.contents.push(...contents.map(({ path: name, bytes }) => ({ path, name: name === '' ? basename(from) : name, bytes })));
  return tree;
}

async function readFrom(scope: Scope, from: FileTree['root'], options: TreeOptions): Promise<TreeReading> {
  const digests = await scope.reading.digests();
  const read = await readTree(scope.context.host, from, options, digests);
  await digests.save();
  return read;
}

interface Program {
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly network: boolean;
  readonly 'max-age'?: string | undefined;
  readonly booted: boolean;
  readonly timeout: string;
}

async function programOptions(scope: Scope, step: Program, path: Path): Promise<ProgramOptions> {
  const uses = await Promise.all(
    Object.entries(step.secrets).map(async ([variable, name]): Promise<[string, SecretUse][]> => {
      if (Object.hasOwn(step.env, variable)) scope.problem([...path, 'secrets', variable], 'is set by env too');
      const use = await scope.secretAt([...path, 'secrets', variable], name);
      return use === undefined ? [] : [[variable, use]];
    }),
  );
  if (step['max-age'] !== undefined && !step.network)
    scope.problem([...path, 'max-age'], 'means nothing without `network: true`: such a step does not grow old');
  return {
    env: step.env,
    secrets: Object.fromEntries(uses.flat()),
    network: step.network,
    maxAge: ageInSeconds(step['max-age'] ?? DEFAULT_MAX_AGE),
    booted: step.booted,
    timeout: seconds(step.timeout),
  };
}

function ageInSeconds(text: string): number {
  return text.endsWith('d') ? Number(text.slice(0, -1)) * 86_400 : seconds(text);
}
