import { basename } from 'node:path';
import { isMap, referencesOf, textOf } from '../hcl/evaluate.ts';
import type { Part } from './packer-template.ts';
import type { ImportScope } from './scope.ts';

/** A step of a template, as its file has it. */
export type ImportedStep = Readonly<Record<string, unknown>>;

/** What is known of a file that a provisioner names, relative to the template of Packer. */
export interface LocalFile {
  readonly kind: 'file' | 'folder';
  /** It begins with `#!`. */
  readonly isProgram: boolean;
  /** Relative to the template that is written. */
  readonly path: string;
}

export type FindFile = (path: string) => Promise<LocalFile | undefined>;

/** What concerns when and how often something runs: it does not change what it does. */
const RUNNING = [
  'only',
  'except',
  'timeout',
  'pause_before',
  'pause_after',
  'max_retries',
  'start_retry_timeout',
  'skip_clean',
  'override',
  'keep_input_artifact',
];
const SHELL = [
  'inline',
  'inline_shebang',
  'script',
  'scripts',
  'environment_vars',
  'env',
  'execute_command',
  'binary',
  'remote_path',
  'remote_folder',
  'remote_file',
  'use_env_var_file',
  'env_var_format',
  'expect_disconnect',
];

/** The steps that a provisioner stands for; whatever else it says is noted. */
export async function readProvisioner(scope: ImportScope, part: Part, find: FindFile): Promise<ImportedStep[]> {
  switch (part.type) {
    case 'shell':
      return await shellSteps(scope, part, find);
    case 'file':
      return await fileSteps(scope, part, find);
    case 'ansible':
    case 'ansible-local':
      return await ansibleSteps(scope, part, find);
    case 'shell-local':
      scope.note(part.file, part.place, 'shell-local runs on the host: run it before or after ingot build');
      return [];
    default:
      scope.note(part.file, part.place, `the provisioner ${part.type} has no counterpart`);
      return [];
  }
}

async function shellSteps(scope: ImportScope, part: Part, find: FindFile): Promise<ImportedStep[]> {
  scope.rest(part, [...SHELL, ...RUNNING]);
  if (part.body.arguments.has('expect_disconnect'))
    scope.note(part.file, scope.place(part, 'expect_disconnect'), 'a restart in a step: a further step with `booted: true` starts the machine again');
  const command = scope.text(part, 'execute_command');
  if (command !== undefined && !/\{\{\s*\.Path\s*\}\}/.test(command))
    scope.note(part.file, scope.place(part, 'execute_command'), 'execute_command: steps are run by ingot, as root');
  const common = { ...environment(scope, part), network: true, ...timeoutOf(scope, part) };
  const words = argumentsIn(command ?? '');
  const inline = scope.texts(part, 'inline');
  if (inline.length > 0) {
    const text = inline.map((line) => line.replace(/\n$/, '')).join('\n');
    // Packer's shell takes a variable that is not set for an empty one.
    const run = `${text.includes('$') ? 'set +u\n' : ''}${text}\n`;
    const isBash = /\bbash\b/.test(scope.text(part, 'inline_shebang') ?? '');
    return [{ run, ...(isBash ? { shell: 'bash' } : {}), ...common }];
  }
  if (part.body.arguments.has('inline')) scope.note(part.file, part.place, 'the whole step is left out: not all of its commands are known');
  const steps: ImportedStep[] = [];
  for (const path of [...scope.texts(part, 'script'), ...scope.texts(part, 'scripts')]) {
    const found = await find(path);
    const key = part.body.arguments.has('script') ? 'script' : 'scripts';
    if (found?.kind !== 'file') scope.note(part.file, scope.place(part, key), `there is no file ${path}`);
    else if (!found.isProgram) scope.note(part.file, scope.place(part, key), `${path} does not begin with #!, which says what runs it`);
    steps.push({ script: found?.path ?? path, ...(words.length === 0 ? {} : { arguments: words }), ...common });
  }
  return steps;
}

/** Words after the script in a command that runs it. */
function argumentsIn(command: string): string[] {
  const after = /\{\{\s*\.Path\s*\}\}['"]?(.*)$/s.exec(command)?.[1] ?? '';
  return [...after.matchAll(/(?:'[^']*'|\\.|[^\s'"\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\(.)/g, (_, quoted: string | undefined, sign: string | undefined) => quoted ?? sign ?? '').replaceAll('{{`{{`}}', '{{'),
  );
}

function environment(scope: ImportScope, part: Part): { readonly env?: Record<string, string>; readonly secrets?: Record<string, string> } {
  const env: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  const put = (name: string, value: string): void => void (env[name] = value);
  const list = part.body.arguments.get('environment_vars')?.value;
  for (const item of list?.kind === 'list' ? list.items : []) {
    const [first, second] = item.kind === 'template' ? item.parts : [];
    const [reference] = referencesOf(item);
    const variable = reference?.[0] === 'var' ? scope.template.variables.get(reference[1] ?? '') : undefined;
    const name = typeof first === 'string' && first.endsWith('=') ? first.slice(0, -1) : undefined;
    if (
      variable?.sensitive === true &&
      name !== undefined &&
      reference !== undefined &&
      typeof second === 'object' &&
      item.kind === 'template' &&
      item.parts.length === 2
    ) {
      secrets[name] = (reference[1] ?? '').replace(/^secret_/, '').replaceAll('_', '-');
      continue;
    }
    const evaluated = scope.evaluate(item);
    if ('unknown' in evaluated) scope.note(part.file, evaluated.unknown.place, `environment_vars ${evaluated.unknown.reason}`);
    else {
      const text = textOf(evaluated.value);
      put(text.slice(0, Math.max(0, text.indexOf('='))), text.slice(text.indexOf('=') + 1));
    }
  }
  const map = scope.value(part, 'env');
  if (isMap(map)) for (const [name, value] of Object.entries(map)) put(name, textOf(value));
  for (const [name, secret] of Object.entries(secrets))
    scope.note(part.file, scope.place(part, 'environment_vars'), `the value of ${name} comes from a secret: ingot secret set ${secret}`);
  return { ...(Object.keys(env).length === 0 ? {} : { env }), ...(Object.keys(secrets).length === 0 ? {} : { secrets }) };
}

function timeoutOf(scope: ImportScope, part: Part): { readonly timeout?: string } {
  const text = scope.text(part, 'timeout');
  if (text === undefined) return {};
  if (/^\d+(s|m|h)$/.test(text)) return text === '1800s' ? {} : { timeout: text };
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };
  const total = [...text.matchAll(/(\d+)(h|m|s)/g)].reduce((sum, [, number, unit = 's']) => sum + Number(number) * (units[unit] ?? 1), 0);
  return total === 0 ? {} : { timeout: `${total}s` };
}

async function fileSteps(scope: ImportScope, part: Part, find: FindFile): Promise<ImportedStep[]> {
  scope.rest(part, ['source', 'sources', 'content', 'destination', 'direction', 'generated', ...RUNNING]);
  if (scope.text(part, 'direction') === 'download') {
    scope.note(part.file, scope.place(part, 'direction'), 'a file that is taken out of the machine: use outputs, or ingot vm copy');
    return [];
  }
  const to = scope.text(part, 'destination');
  if (to === undefined) return [];
  if (!to.startsWith('/')) {
    scope.note(part.file, scope.place(part, 'destination'), `${to} is relative to the home of whom Packer logs in as; a path in an image is absolute`);
    return [];
  }
  if (/^\/(tmp|run)(\/|$)/.test(to)) {
    scope.note(part.file, scope.place(part, 'destination'), `${to} is empty again in the next step: copy it to where it belongs`);
  }
  const content = scope.text(part, 'content');
  if (content !== undefined) return [{ file: to, content }];
  const steps: ImportedStep[] = [];
  for (const source of [...scope.texts(part, 'source'), ...scope.texts(part, 'sources')]) {
    const found = await find(source);
    if (found === undefined) scope.note(part.file, scope.place(part, part.body.arguments.has('source') ? 'source' : 'sources'), `there is no ${source}`);
    // A folder without a slash at its end goes into the destination under its own name.
    const into = found?.kind === 'folder' ? (source.endsWith('/') ? to : `${to.replace(/\/$/, '')}/${basename(source)}`) : to;
    steps.push({ copy: (found?.path ?? source).replace(/(.)\/$/, '$1'), to: into });
  }
  return steps;
}

async function ansibleSteps(scope: ImportScope, part: Part, find: FindFile): Promise<ImportedStep[]> {
  const known = [
    'playbook_file',
    'extra_arguments',
    'user',
    'use_proxy',
    'command',
    'ansible_env_vars',
    'host_alias',
    'groups',
    'sftp_command',
    'local_port',
    'clean_staging_directory',
    'staging_directory',
  ];
  scope.rest(part, [...known, ...RUNNING]);
  const playbook = scope.text(part, 'playbook_file');
  if (playbook === undefined) return [];
  const found = await find(playbook);
  if (found?.kind !== 'file') scope.note(part.file, scope.place(part, 'playbook_file'), `there is no ${playbook}`);
  const variables: Record<string, unknown> = {};
  const words = scope.texts(part, 'extra_arguments');
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const [, joined] = /^(?:--extra-vars|-e)=(.*)$/s.exec(word) ?? [];
    if (word === '--become' || word === '-b') continue;
    const value = joined ?? (['--extra-vars', '-e'].includes(word) ? words[(i += 1)] : undefined);
    if (value === undefined) scope.note(part.file, scope.place(part, 'extra_arguments'), `the argument ${word} of Ansible has no counterpart`);
    else Object.assign(variables, extraVariables(value));
  }
  return [{ ansible: found?.path ?? playbook, network: true, ...(Object.keys(variables).length === 0 ? {} : { variables }), ...timeoutOf(scope, part) }];
}

function extraVariables(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // name=value, as Ansible takes it too
  }
  return Object.fromEntries(
    text
      .split(/\s+/)
      .filter((word) => word.includes('='))
      .map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
}
