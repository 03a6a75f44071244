import * as z from 'zod';
import { FORMAT_NAMES } from '../disk/formats/table.ts';
import { filesystemSchema } from '../disk/layout.ts';
import { networkSchema } from './network-schema.ts';
import { stepSchema } from './step-schema.ts';
import { subscriptionSchema } from './subscription-schema.ts';
import { durationText, modeText, nameText, pathText, sizeText, textFrom } from './text.ts';
import { testSchema } from './test-schema.ts';
import { variableSchema } from './variables-schema.ts';

/*
 * The template file: what an image is to be. Types, messages, the JSON Schema for editors and the reference are all made from this. Keys are
 * in kebab-case, as in settings. Lists of files that extend or include each other are joined, maps merged, single values replaced.
 */

const answersText = z
  .string()
  .min(1)
  .optional()
  .describe("Your own answer file for the installer (preseed, kickstart, autoinstall …), relative to the template's folder; default: one that ingot writes");

const argumentsText = z
  .string()
  .regex(/^[ -~]+$/, 'must be one line of plain characters')
  .optional()
  .describe("Further arguments of the installer's kernel");

/** What an image starts from: a release of the catalog or an image of the store by name, a disk by file or address. */
const fromSchema = z
  .union([
    z
      .string()
      .min(1)
      .describe('A release of the catalog (`debian-12`), else an image of the store (`web:1.4`); the ISO of an installer by its path (`./my.iso`)'),
    z.strictObject({
      release: z.string().min(1).describe('A release of the catalog'),
      source: z
        .enum(['bootstrap', 'cloud-image', 'installer'])
        .optional()
        .describe(
          'Made of packages, from the cloud image that the distribution publishes, or installed from its medium; default: the first of them that the catalog knows',
        ),
      answers: answersText,
      file: z.string().min(1).optional().describe("The release's cloud image as a file that you have; relative to the template's folder"),
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe("An address of the release's cloud image that only you know; needs `sha256`"),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
        .optional()
        .describe('The checksum of what is at `url`'),
      authorization: z
        .strictObject({ secret: z.string().describe('Name of the secret') })
        .optional()
        .describe('Secret that holds the value of the Authorization header for `url`: `Bearer …`'),
    }),
    z.strictObject({
      iso: z.string().min(1).describe("The ISO of an installer, relative to the template's folder"),
      release: z.string().min(1).optional().describe('The release of the catalog that it installs, where it does not say so itself'),
      answers: answersText,
      arguments: argumentsText,
    }),
    z.strictObject({
      kernel: z.string().min(1).describe("The kernel of an installer that is started over the network, relative to the template's folder"),
      initrd: z.string().min(1).describe('Its initrd'),
      release: z.string().min(1).describe('The release of the catalog that it installs'),
      answers: answersText,
      arguments: argumentsText,
    }),
    z.strictObject({ image: z.string().min(1).describe('An image of the store: `name[:tag]` or `name@sha256:…`') }),
    z.strictObject({ file: z.string().min(1).describe("A qcow2, raw or VMDK disk, packed or not, relative to the template's folder") }),
    z.strictObject({
      url: z.url({ protocol: /^https?$/ }).describe('A qcow2, raw or VMDK disk to download'),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
        .describe('Its checksum; without one nothing is downloaded'),
    }),
  ])
  .describe('What the image starts from');

/** An http or https address on one line. */
const webAddress = z.url({ protocol: /^https?$/ }).regex(/^\S+$/, 'must be an address without blanks');

/** A word of a line in a list of package sources. */
const aptWord = z.string().regex(/^[A-Za-z0-9./_+:~-]+$/, 'must be one word');

/** A path as the list of accounts can hold it. */
const accountPath = pathText.regex(/^[^:\s]+$/, 'must hold no colon and no blank');

const partitionSchema = z.strictObject({
  mount: pathText.describe('Where it is mounted'),
  size: sizeText.describe('Its size'),
  filesystem: filesystemSchema.default('ext4').describe('Its file system'),
});

const diskSchema = z.strictObject({
  size: sizeText.optional().describe("Size of the image's disk; default 4GiB. A VM's root grows to the VM's disk"),
  filesystem: filesystemSchema.optional().describe('Root file system; default ext4'),
  firmware: z.enum(['bios', 'uefi', 'both']).optional().describe('What can start it; default both'),
  swap: sizeText.optional().describe('Size of a swap file, made at the first boot'),
  partitions: z.array(partitionSchema).optional().describe('Partitions besides the root, which stays last so that it can grow'),
  lvm: z.boolean().optional().describe('Put the root on a logical volume'),
});

const userSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'must be a user name: lower-case letters, digits, dashes and underscores')
    .describe('The name to log in with; users of the same name in joined files are one user'),
  comment: z
    .string()
    .regex(/^[^:\n]*$/, 'must hold no colon')
    .optional()
    .describe('Full name or purpose'),
  uid: z.int().min(1).max(65_533).optional().describe('Number of the account; default: the next free one'),
  home: accountPath.optional().describe('Default /home/<name>'),
  shell: accountPath.optional().describe('Default /bin/bash'),
  system: z.boolean().default(false).describe('An account for a service: no home, no login'),
  groups: z
    .array(z.string().regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'must be a group name'))
    .default([])
    .describe('Further groups; made where they are missing'),
  sudo: z
    .union([z.boolean(), z.string().regex(/^[^\n]+$/)])
    .default(false)
    .describe('true: everything without a password; text: the rule after the name, as in sudoers'),
  'ssh-keys': z.array(textFrom).default([]).describe('Public keys: text, { file } or { url }'),
  'password-hash': z
    .strictObject({ secret: z.string().describe('Name of the secret') })
    .optional()
    .describe('Secret that holds a crypt(5) hash; without it no password works'),
});

/** A name of the snap store: lower-case letters, digits and single dashes, with a letter somewhere (snapd, naming.ValidateSnap). */
const snapName = z.string().regex(/^(?=.{2,40}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/, 'must be the name of a snap: lower-case letters, digits and dashes');

const repositorySchema = z.strictObject({
  name: nameText.describe("Name of the repository's file"),
  uri: webAddress.describe('Where it is'),
  suites: z.array(aptWord).default([]).describe('Its suites, such as stable, or `./` for a flat one; for Debian, which needs one, and Alpine alone'),
  components: z.array(aptWord).default(['main']).describe('Its components, where it has suites'),
  key: textFrom.describe('The key that signs it, armored (for apk: PEM): text, { file } or { url, sha256 }'),
  'key-name': z
    .string()
    .regex(/^[A-Za-z0-9@._+-]+\.rsa\.pub$/, 'must be the name of a key of apk, which ends in .rsa.pub')
    .optional()
    .describe("apk alone: the key's name in signatures; default: the name of its file, or the end of its address"),
});

export const systemSchema = z.strictObject({
  hostname: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/, 'must be `platform` or a host name')
    .optional()
    .describe('`platform` (default): each VM gets its own from its platform; else a fixed name'),
  timezone: z
    .string()
    .regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, 'must be a zone such as Europe/Zurich')
    .optional()
    .describe('Time zone: Europe/Zurich'),
  locale: z
    .string()
    .regex(/^[A-Za-z_]+(\.[A-Za-z0-9-]+)?(@[a-z]+)?$/, 'must be a locale such as de_CH.UTF-8')
    .optional()
    .describe('Language and formats: de_CH.UTF-8; generated where it is missing'),
  keymap: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'must be a keyboard layout such as ch or us')
    .optional()
    .describe('Keyboard layout of the console: ch'),
  sshd: z
    .strictObject({
      port: z.int().min(1).max(65_535).optional().describe('Port that it listens on'),
      'password-authentication': z.boolean().optional().describe('Whether a password lets one in; default false'),
      'permit-root-login': z.enum(['yes', 'no', 'prohibit-password']).optional().describe('Whether root may log in, and how'),
      'allow-users': z
        .array(z.string().regex(/^[^\s"'#\\]+$/, 'must be a pattern of user names'))
        .optional()
        .describe("Who may log in, besides the image's default user, as whom platforms and ingot do"),
    })
    .optional()
    .describe('The SSH server'),
  'kernel-arguments': z
    .array(z.string().regex(/^[^\s"'\\$`]+$/, 'must be one argument without spaces or quotes'))
    .default([])
    .describe("Added to the kernel's command line"),
  sysctl: z
    .record(z.string().regex(/^[A-Za-z0-9_./-]+$/), z.union([z.string().regex(/^[^\n]*$/), z.number()]))
    .default({})
    .describe('Kernel parameters: net.ipv4.ip_forward: 1'),
  ntp: z
    .array(z.string().regex(/^[A-Za-z0-9.:-]+$/, 'must be a host name or address'))
    .default([])
    .describe('Time servers'),
  'automatic-updates': z
    .enum(['none', 'security', 'all'])
    .optional()
    .describe('Updates that a VM installs by itself; without it, what the image started from does, and a Debian installs none'),
  'trusted-ca': z.array(textFrom).default([]).describe('Certificates of authorities that are trusted, PEM'),
  proxy: z
    .strictObject({
      http: webAddress.optional().describe('For http'),
      https: webAddress.optional().describe('For https'),
      'no-proxy': z
        .array(z.string().regex(/^[A-Za-z0-9.*:/[\]_-]+$/, 'must be a host, domain or network'))
        .default([])
        .describe('Hosts that are reached without it'),
    })
    .optional()
    .describe('Proxies that programs in the image use'),
  repositories: z.array(repositorySchema).default([]).describe('Further package repositories'),
  firewall: z
    .strictObject({
      open: z
        .array(z.string().regex(/^[1-9][0-9]{0,4}\/(tcp|udp)$/, 'must be a port such as 80/tcp'))
        .default([])
        .describe('Ports that it lets through: 80/tcp'),
    })
    .optional()
    .describe('The firewall, where one is on: firewalld, or that of the role hardened'),
  selinux: z.enum(['enforcing', 'permissive', 'disabled']).optional().describe('Mode of SELinux, for families that have it'),
  'ubuntu-pro': z
    .strictObject({
      token: z.strictObject({ secret: z.string().describe('Name of the secret') }).describe('Secret that holds the token of the subscription'),
      services: z
        .array(z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a service'))
        .min(1)
        .default(['esm-infra', 'esm-apps'])
        .describe('Services whose packages are wanted, as `pro status` names them'),
    })
    .optional()
    .describe('Ubuntu alone: updates of the subscription are installed while the image is built; the image itself is not attached'),
});

const snapSchema = z.strictObject({
  name: snapName.describe('Name in the store'),
  channel: z
    .string()
    .regex(/^[a-z0-9._-]+(\/[a-z0-9._-]+){0,2}$/i, 'must be a channel such as latest/stable or 1.32/edge')
    .optional()
    .describe('Default: what the store gives'),
  classic: z.boolean().default(false).describe('Installed without confinement, which some snaps ask for'),
});

const outputSchema = z.strictObject({
  format: z.enum(FORMAT_NAMES).optional().describe("Format of the file; default: what the file's extension names"),
  path: z.string().min(1).describe("File to write, or folder for `web`, relative to the template's folder"),
  options: z.record(z.string(), z.string()).default({}).describe('Options of the format: `layout: fixed`'),
});

/** A role by name or by the path of its folder, alone or with its parameters; or one that lies in a Git repository. */
const roleUseSchema = z.union([
  z.string().min(1),
  z.strictObject({
    git: z
      .string()
      .regex(/^(https:\/\/|ssh:\/\/|file:\/\/|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:)[^\s]+$/, 'must be an address such as https://host/roles.git')
      .describe('Address of a repository'),
    commit: z
      .string()
      .regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'must be the whole hash of a commit; branches and tags move')
      .describe('The commit'),
    path: z
      .string()
      .regex(/^(?![/-])(?!.*(^|\/)\.\.(\/|$))[^\s]+$/, 'must be a path in the repository')
      .default('.')
      .describe("The role's folder in the repository"),
    parameters: z.record(z.string(), z.unknown()).default({}).describe("The role's parameters"),
  }),
  z.record(z.string(), z.record(z.string(), z.unknown())).refine((role) => Object.keys(role).length === 1, 'must be one role with its parameters'),
]);

/** A template after its files were joined and its variables filled in. */
export const templateSchema = z.strictObject({
  name: nameText.optional().describe("The image's name; default: the file's name"),
  version: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'must be letters, digits, dots, dashes and underscores')
    .refine((text) => !['latest', 'current'].includes(text), 'cannot be a tag that moves')
    .optional()
    .describe('The tag that a build adds and that never moves; default: date and short digest'),
  description: z.string().optional().describe('What the image is for, in a sentence'),
  labels: z.record(z.string(), z.string()).default({}).describe("Kept in the image's config"),
  extends: z.string().min(1).optional().describe('A template file that this one is based on, relative to it'),
  include: z.array(z.string().min(1)).default([]).describe('Files with parts of a template, joined in order before this one'),
  variables: z
    .record(z.string().regex(/^[a-z][a-z0-9_-]*$/i), variableSchema)
    .default({})
    .describe('Used as {{ name }}; set with --var or INGOT_VAR_<NAME>'),
  from: fromSchema.optional(),
  subscription: subscriptionSchema.optional(),
  arch: z.enum(['amd64', 'arm64']).optional().describe("Processor architecture; default: the host's"),
  kernel: z.enum(['cloud', 'generic']).optional().describe('cloud (default): small, for virtual machines; generic: every driver'),
  disk: diskSchema.optional().describe('The disk of the image'),
  roles: z
    .array(roleUseSchema)
    .default([])
    .describe('Capabilities that are baked in: `docker`, `docker: { parameter: value }`, `./my-role`, or one of a Git repository'),
  packages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9.+-]*(=[A-Za-z0-9.+:~-]+)?$/, 'must be a package name, or name=version'))
    .default([])
    .describe('Packages to install, by their names in the package catalog, else by the own names of the family'),
  update: z
    .enum(['none', 'security', 'all'])
    .default('none')
    .describe('Bring the packages of what the image starts from up to date, before anything else: all, or those with security fixes'),
  snaps: z
    .array(z.union([snapName, snapSchema]))
    .default([])
    .describe("Snaps that each machine installs at its first boot: a name, or a name with its channel. They need the machine's network"),
  users: z.array(userSchema).default([]).describe("Accounts besides the image's default user"),
  system: systemSchema.optional().describe('How the system is set up'),
  network: networkSchema.optional(),
  steps: z.array(stepSchema).default([]).describe('Changes to the disk, in order; each is a layer'),
  tests: z.array(testSchema).default([]).describe("What must hold in the booted image; run in the gate's guest"),
  outputs: z.array(outputSchema).default([]).describe('Files that a build writes when the gate has passed'),
});
export type Template = z.output<typeof templateSchema>;
export type TemplateUser = Template['users'][number];
export type TemplateSystem = NonNullable<Template['system']>;
export type TemplateStep = Template['steps'][number];
export type TemplateTest = Template['tests'][number];

export { durationText, modeText };
