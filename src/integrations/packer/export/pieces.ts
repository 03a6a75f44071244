import { join } from 'node:path';
import { quoteCommand } from '../../../base/process.ts';
import { hostPath } from '../../../base/types.ts';
import { missingAgents } from '../../../families/common/agents.ts';
import { familyFor } from '../../../families/families.ts';
import type { Family } from '../../../families/family.ts';
import { sectionsOf, type Section } from '../../../plan/sections.ts';
import type { FileTree, ResolvedStep } from '../../../template/template.ts';
import { args, block, Code, Interpolated, type HclBlock, type HclValue } from '../hcl/document.ts';
import type { Origin, Piece, ProjectFile } from './project.ts';
import { commandLines, fetchDownloads, grubArguments, placeTree, putFiles, script, sealLines, secretName, SINGLE } from './script.ts';

type ChangeSection = Exclude<Section, { kind: 'step' }>;
type ProgramStep = Extract<ResolvedStep, { kind: 'run' | 'script' }>;

/** What stands before a program of the user's template in its script. */
export const RUN_HEADERS = { sh: '#!/bin/sh\nset -eu\n', bash: '#!/bin/bash\nset -eu -o pipefail\n' } as const;

/** All that the machine is put through, in order: one part for each layer that ingot would make, and the seal. */
export function pieces(origin: Origin): Piece[] {
  const { template, release } = origin;
  const family = familyFor(release);
  const numbered = sectionsOf(template, release).map((section, i) => ({ section, id: `${i + 20}-${slug(section.name)}` }));
  return [
    scriptPiece('00-wait', script('Waits until the first boot is over: its programs would hold the package manager.', [WAIT])),
    // An installed system and a cloud image alike may lack what a platform speaks to.
    ...(origin.image === undefined ? [agents(origin, family)] : []),
    ...numbered.map(({ section, id }) => (section.kind === 'step' ? stepPiece(section.step, id) : changePiece(section, id, family))),
    scriptPiece('90-seal', script('Takes away what no golden image holds.', [commandLines(family.seal.commands), sealLines(family.seal.booted)])),
  ];
}

/** Names of the secrets that a template's parts use, each once. */
export function secretsOf({ template, release }: Pick<Origin, 'template' | 'release'>): string[] {
  const used = sectionsOf(template, release).flatMap((section) => {
    if (section.kind !== 'step') return section.changes.commands.flatMap(({ secretStdin }) => (secretStdin === undefined ? [] : [secretStdin.secret]));
    return 'secrets' in section.step ? Object.values(section.step.secrets).map(({ secret }) => secret) : [];
  });
  return [...new Set(used)].toSorted();
}

const WAIT = `if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null || true; fi`;

function slug(name: string): string {
  const text = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return text.slice(0, 40).replaceAll(/^-+|-+$/g, '') || 'step';
}

function agents({ release }: Origin, family: Family): Piece {
  const { packages, commands } = missingAgents(release, family.traits, new Set());
  return scriptPiece('10-agents', script('What a platform speaks to.', [commandLines(family.install(packages)), commandLines(commands)]));
}

function changePiece({ name, kind, changes, update }: ChangeSection, id: string, family: Family): Piece {
  const { packages, downloads = [], files, commands, kernelArguments } = changes;
  const install = [...(update === undefined ? [] : family.update(update)), ...family.install(packages)];
  const boot =
    kernelArguments.length === 0 ? '' : family.planned === undefined ? commandLines(family.boot(kernelArguments)) : grubArguments(slug(name), kernelArguments);
  const parts = [commandLines(install), fetchDownloads(downloads), putFiles(files), commandLines(commands), boot];
  const secrets = commands.flatMap(({ secretStdin }) => (secretStdin === undefined ? [] : [secretStdin.secret]));
  const environment = Object.fromEntries(secrets.map((secret) => [secretName(secret), secretValue(secret)]));
  return scriptPiece(id, script(kind === name ? name : `${kind}: ${name}`, parts), { environment });
}

function stepPiece(step: Extract<Section, { kind: 'step' }>['step'], id: string): Piece {
  switch (step.kind) {
    case 'run':
      return programPiece(step, `scripts/${id}.sh`, `${RUN_HEADERS[step.shell]}${step.script}`);
    case 'script':
      return programPiece(step, `scripts/${id}-${step.fileName.replaceAll(/[^\w.-]/g, '_')}`, Buffer.from(step.content, 'base64'), step.arguments);
    case 'copy': {
      const folder = `files/${id}`;
      const place = scriptPiece(id, script(step.label, [placeTree(step.tree, step.to, step.owner, `/tmp/${id}`)]));
      const upload = block('provisioner', ['file'], args({ source: new Interpolated(new Code('path.root'), `/${folder}`), destination: '/tmp' }));
      return { files: [...treeFiles(step.tree, folder), ...place.files], provisioners: [upload, ...place.provisioners] };
    }
    case 'ansible': {
      const folder = `ansible/${id}`;
      const variables = step.variables;
      const environment = environmentOf(step);
      const extra = Object.keys(variables).length === 0 ? [] : ['--extra-vars', JSON.stringify(variables)];
      const body = args({
        playbook_file: new Interpolated(new Code('path.root'), `/${folder}/${step.playbook}`),
        user: new Code('var.ssh_username'),
        use_proxy: undefined,
        extra_arguments: ['--become', ...extra],
        ansible_env_vars: environment.length === 0 ? undefined : environment,
      });
      return {
        files: treeFiles(step.tree, folder),
        provisioners: [block('provisioner', ['ansible'], body, `${step.label}: runs on this host, which needs Ansible.`)],
      };
    }
    default:
      throw new Error('a step of an unknown kind');
  }
}

/** The files of a tree; links are made in the machine, since an upload follows them. */
function treeFiles(tree: FileTree, folder: string): ProjectFile[] {
  return tree.entries.flatMap((entry) =>
    entry.type === 'file'
      ? [
          {
            path: `${folder}/${tree.single ? SINGLE : entry.path}`,
            // Whoever builds has to read it; the machine gets the mode that is wanted.
            mode: (entry.mode & 0o111) === 0 ? 0o644 : 0o755,
            source: tree.single ? tree.root : hostPath(join(tree.root, entry.path)),
            sha256: entry.sha256,
          },
        ]
      : [],
  );
}

function secretValue(secret: string): Code {
  return new Code(`var.${secretName(secret)}`);
}

function environmentOf({ env, secrets }: Pick<ProgramStep, 'env' | 'secrets'>): HclValue[] {
  return [
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...Object.entries(secrets).map(([name, { secret }]) => new Interpolated(`${name}=`, secretValue(secret))),
  ];
}

function programPiece(step: ProgramStep, path: string, content: string | Uint8Array, words: readonly string[] = []): Piece {
  const environment = environmentOf(step);
  return {
    files: [{ path, content, mode: 0o755 }],
    provisioners: [shellBlock(path, { environment, words, timeout: step.timeout, label: step.label })],
  };
}

function scriptPiece(id: string, text: string, { environment = {} }: { readonly environment?: Readonly<Record<string, Code>> } = {}): Piece {
  const path = `scripts/${id}.sh`;
  const values = Object.entries(environment).map(([name, value]) => new Interpolated(`${name}=`, value));
  return { files: [{ path, content: text, mode: 0o755 }], provisioners: [shellBlock(path, { environment: values })] };
}

interface ShellOptions {
  readonly environment?: readonly HclValue[];
  readonly words?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
  readonly label?: string;
}

function shellBlock(path: string, { environment = [], words = [], timeout, label }: ShellOptions): HclBlock {
  const body = args({
    script: new Interpolated(new Code('path.root'), `/${path}`),
    environment_vars: environment.length === 0 ? undefined : environment,
    execute_command: words.length === 0 ? new Code('local.as_root') : new Interpolated(new Code('local.as_root'), ` ${goText(quoteCommand(words))}`),
    timeout: timeout === undefined ? undefined : `${timeout}s`,
    // As it is: Packer would change line ends.
    binary: true,
  });
  return block('provisioner', ['shell'], body, label === undefined ? '' : label.replaceAll(/\s+/g, ' '));
}

/** A text that Packer's own templates (Go's) leave as it is. */
export function goText(text: string): string {
  return text.replaceAll('{{', '{{`{{`}}');
}
