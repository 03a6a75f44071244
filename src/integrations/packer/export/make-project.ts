import { IngotError } from '../../../base/errors.ts';
import { args, block, Code, comment, type HclBlock, type HclItem } from '../hcl/document.ts';
import { writeHcl, writeHclJson } from '../hcl/write.ts';
import { asRoot, leaving, metaData, shutDown, userData } from './account.ts';
import { BUILDERS, type BuilderName } from './builders/builders.ts';
import type { BuilderInput } from './builders/builder.ts';
import { connectionVariables } from './builders/proxmox.ts';
import { installation, type Installation } from './install.ts';
import { notCarried } from './not-carried.ts';
import { pieces, secretsOf } from './pieces.ts';
import { sourceName, type BuildAccount, type Origin, type PackerSource, type Piece, type ProjectFile } from './project.ts';
import { readme } from './readme.ts';
import { secretName } from './script.ts';
import { KEY_FILE } from './ssh.ts';
import { variable } from './variable.ts';

export type ProjectFormat = 'hcl' | 'json';

export interface ProjectOptions {
  readonly format: ProjectFormat;
  readonly builders: readonly BuilderName[];
  readonly account: BuildAccount;
}

/** A Packer project: its files, and what of the template it does not say. */
export interface Project {
  readonly files: readonly ProjectFile[];
  /** Sentences without a final stop. */
  readonly notCarried: readonly string[];
}

/**
 * A complete project for Packer, from a template that is resolved. Pure. Throws `packer-no-iso` where a builder installs and the catalog knows no way, and
 * what the families throw.
 */
export function makeProject(origin: Origin, options: ProjectOptions): Project {
  const { format, builders, account } = options;
  const installs = origin.image === undefined && builders.some((name) => BUILDERS[name].installs);
  const installed = installs ? installation(origin, account) : undefined;
  const input: BuilderInput = {
    ...origin,
    account,
    ...(installed === undefined ? {} : { installation: installed }),
  };
  const parts = pieces(origin);
  const left = notCarried(origin);
  const secrets = secretsOf(origin);
  const sources: PackerSource[] = [
    {
      name: 'variables',
      items: [comment('What a build can be told: -var name=value, PKR_VAR_name, or a file *.auto.pkrvars.hcl.'), ...variables(input, secrets)],
    },
    ...(builders.some((name) => name.startsWith('proxmox-')) ? [{ name: 'proxmox', items: connectionVariables() }] : []),
    ...builders.map((name) => ({
      name,
      items: [comment(`${name}: ${BUILDERS[name].use}.`), ...BUILDERS[name].variables(input), BUILDERS[name].source(input)],
    })),
    { name: 'build', items: buildItems(input, builders, parts) },
    { name: 'plugins/required', items: requiredPlugins(builders) },
  ];
  const extension = format === 'hcl' ? 'hcl' : 'json';
  const files: ProjectFile[] = [
    ...sources.map(({ name, items }) => ({
      path: `${name}.pkr.${extension}`,
      mode: 0o644,
      content: format === 'hcl' ? writeHcl(items) : writeHclJson(items),
    })),
    // Only who builds may read it.
    { path: KEY_FILE, mode: 0o600, content: account.privateKey },
    ...(installed?.files ?? []),
    ...cloudInitFiles(origin, builders, account),
    ...parts.flatMap((part) => part.files),
    {
      path: 'README.md',
      mode: 0o644,
      content: readme({ input, options, secrets, notCarried: left }),
    },
  ];
  const paths = files.map(({ path }) => path);
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice !== undefined) throw new IngotError('internal', 'internal', `the project has ${twice} twice`);
  return { files, notCarried: left };
}

const DISK_DEFAULT = 10 * 1024;

function variables(input: BuilderInput, secrets: readonly string[]): HclBlock[] {
  const { image, installation: installed, template, account } = input;

  return [
    ...mediumVariables(image, installed),
    variable('cpus', {
      type: 'number',
      value: 2,
      least: 1,
      description: 'Processors of the machine while it is built.',
    }),
    variable('memory', {
      type: 'number',
      value: 2048,
      least: 512,
      description: 'MiB of its memory. Most installers need 2048.',
    }),
    variable('disk_size', {
      type: 'number',
      value: Math.max(Math.ceil(template.disk.size / 2 ** 20), image === undefined ? DISK_DEFAULT : 0),
      least: 1024,
      description: 'MiB of its disk. The root of a machine that is made of it grows.',
    }),
    variable('boot_wait', {
      type: 'string',
      value: '5s',
      description: "How long to wait for the medium's menu before typing.",
    }),
    variable('ssh_username', {
      type: 'string',
      value: account.name,
      description: 'The account that the answers make; it is removed at the end.',
    }),
    variable('ssh_timeout', {
      type: 'string',
      value: '30m',
      description: 'How long an installation, and a start, may take.',
    }),
    ...secrets.map((secret) =>
      variable(secretName(secret), {
        type: 'string',
        sensitive: true,
        description: `What ingot calls the secret ${secret}.`,
      }),
    ),
  ];
}

function mediumVariables(image: Origin['image'], installed: Installation | undefined): HclBlock[] {
  const url = 'Address or path of the disk that it starts from.';
  const sum = 'Its checksum: sha256:…, or file:… for a list of checksums, which Packer then fetches.';
  if (image !== undefined) {
    return [
      variable('iso_url', { type: 'string', value: image.url, description: url }),
      variable('iso_checksum', { type: 'string', value: image.checksum, description: sum }),
    ];
  }
  if (installed === undefined) return [];
  const given = (value: string | undefined): { value?: string } => (value === undefined ? {} : { value });
  return [
    variable('iso_url', {
      type: 'string',
      ...given(installed.url),
      description: 'Address or path of the medium that installs.',
    }),
    variable('iso_checksum', { type: 'string', ...given(installed.checksum), description: sum }),
  ];
}

function buildItems(input: BuilderInput, builders: readonly BuilderName[], parts: readonly Piece[]): HclItem[] {
  const name = sourceName(input.template.name);
  const without = builders.filter((each) => !BUILDERS[each].shutdownCommand);
  const last =
    without.length === 0
      ? []
      : [
          block(
            'provisioner',
            ['shell'],
            args({
              only: without.map((each) => `${each}.${name}`),
              inline: [new Code('local.leave')],
              execute_command: new Code('local.as_root'),
              // Whoever would clean up is gone.
              skip_clean: true,
            }),
            'These builders turn the machine off from outside: the account goes now.',
          ),
        ];
  return [
    block(
      'locals',
      [],
      [
        comment('Runs a script as root, with what it is told in its environment.'),
        ...args({ as_root: asRoot(input), leave: leaving(input), shut_down: shutDown(input) }),
      ],
    ),
    block('build', [], [...args({ sources: builders.map((each) => `source.${each}.${name}`) }), ...parts.flatMap((part) => part.provisioners), ...last]),
  ];
}

function requiredPlugins(builders: readonly BuilderName[]): HclItem[] {
  const plugins = new Map(builders.map((name) => [BUILDERS[name].plugin.name, BUILDERS[name].plugin]));
  return [
    comment('For Packer 1.7 and later: `packer init plugins/` fetches them, once. Packer before that has its builders built in, and does not know this block,'),
    comment('which is why it is in a folder of its own: `packer build .` does not read it.'),
    block(
      'packer',
      [],
      [block('required_plugins', [], args(Object.fromEntries([...plugins].map(([name, { source, version }]) => [name, { version, source }]))))],
    ),
  ];
}

function cloudInitFiles(origin: Origin, builders: readonly BuilderName[], account: BuildAccount): ProjectFile[] {
  const served =
    origin.image === undefined
      ? []
      : [
          { path: 'http/user-data', content: userData(account) },
          { path: 'http/meta-data', content: metaData(origin) },
        ];
  const given = builders.includes('cloudstack') ? [{ path: 'cloud-init/user-data', content: userData(account) }] : [];
  return [...served, ...given].map((file) => ({ ...file, mode: 0o644 }));
}
