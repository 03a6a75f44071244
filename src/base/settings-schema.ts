import * as z from 'zod';
import { BUILT_IN } from './settings.ts';

const factor = z.number({ error: 'is not a number' }).min(0.1, { error: 'is less than 0.1' }).max(1000, { error: 'is more than 1000' });
const mirror = z.url({ protocol: /^https?$/, error: 'is not an http or https address' });

const path = z.string().regex(/^(\/|~\/)/, { error: 'is not an absolute path, or one that starts with ~/' });
const MIRROR = '[a-z0-9][a-z0-9.-]*(/(amd64|arm64))?\\s*=\\s*https?://[^\\s,@]+';
const MIRRORS = new RegExp(`^\\s*${MIRROR}(\\s*,\\s*${MIRROR})*\\s*$`);
const MIRRORS_WRONG = 'is not a list of distribution=http://…, with commas between them';
const KEY = 'ed25519:[A-Za-z0-9+/]{43}=';
const KEYS = new RegExp(`^\\s*${KEY}(\\s*,\\s*${KEY})*\\s*$`);
const FINGERPRINT = '[a-z0-9.-]+(:\\d+)?\\s*=\\s*sha256:[0-9a-f]{64}';
const FINGERPRINTS = new RegExp(`^\\s*${FINGERPRINT}(\\s*,\\s*${FINGERPRINT})*\\s*$`);
const ROLE_IMAGE = '[a-z0-9][a-z0-9.-]*\\s*=\\s*[a-z0-9][\\w.:@-]*';
const ROLE_IMAGES = new RegExp(`^\\s*${ROLE_IMAGE}(\\s*,\\s*${ROLE_IMAGE})*\\s*$`);

/** Every setting, once: what it may be, what it means, what it is where nobody sets it. Each has an environment variable INGOT_<NAME>. */
export const settingsSchema = z.strictObject({
  mirror: mirror.optional().describe('Package mirror of Debian that builds download from; the image itself keeps a public one'),
  'security-mirror': mirror.optional().describe("Mirror of Debian's security archive; default: the one of the host, else the public one"),
  'distribution-mirrors': z
    .string({ error: MIRRORS_WRONG })
    .regex(MIRRORS, { error: MIRRORS_WRONG })
    .optional()
    .describe(
      'Package mirrors of other distributions, and of architectures that have their own: ubuntu=http://…, ubuntu-security=http://…, ubuntu/arm64=http://…',
    ),
  jobs: z
    .int({ error: 'is not a whole number' })
    .min(1, { error: 'is less than 1' })
    .max(256, { error: 'is more than 256' })
    .optional()
    .describe('How many layers are built at the same time; default: what processors, memory and disk allow'),
  workspace: z
    .enum(['auto', 'host', 'vm'])
    .default(BUILT_IN.workspace)
    .describe('Where disks are opened: on this host, in a helper VM, or whichever of them the host can do'),
  gate: z.enum(['quick', 'full', 'none']).default(BUILT_IN.gate).describe('What a build has to pass before its tag moves'),
  templates: path.optional().describe('Folder of your templates; default: templates in the home'),
  catalog: path.optional().describe('Folder of your distributions, which are laid over the catalog; default: catalog in the home'),
  'image-prune': z
    .enum(['never', 'after-build'])
    .default(BUILT_IN['image-prune'])
    .describe('Whether each build that was done removes images that have no tag and that no VM uses, as `ingot image prune` does'),
  'alert-command': path.optional().describe('Program that is started, with the event as JSON on its standard input, when a long job has ended or failed'),
  'alert-webhook': z
    .union([mirror, z.string().regex(/^secret:[A-Za-z][A-Za-z0-9_-]{0,63}$/)], {
      error: 'is not an http or https address, nor secret: and the name of a secret',
    })
    .optional()
    .describe('Address that the same event is posted to; secret:NAME takes the address from the secret store'),
  'alert-after': z
    .int({ error: 'is not a whole number' })
    .min(0, { error: 'is less than 0' })
    .max(86_400, { error: 'is more than 86400' })
    .default(BUILT_IN['alert-after'])
    .describe('How many seconds a job must have taken for an alert'),
  'default-release': z
    .string({ error: 'is not the name of a release' })
    .regex(/^[a-z0-9][a-z0-9.-]*$/, { error: 'is not the name of a release' })
    .default(BUILT_IN['default-release'])
    .describe('Release of VMs that are made without --image and --release'),
  'role-images': z
    .string({ error: 'is not a list of role=image, with commas between them' })
    .regex(ROLE_IMAGES, { error: 'is not a list of role=image, with commas between them' })
    .optional()
    .describe('Images that `vm create --role` prefers, by role: docker=my-docker,redis=cache:1.2'),
  'trusted-keys': z
    .string({ error: 'is not a list of keys, ed25519:…, with commas between them' })
    .regex(KEYS, { error: 'is not a list of keys, ed25519:…, with commas between them' })
    .optional()
    .describe("Whose signatures count besides ingot's own, as `ingot key show` prints them; with any, only images that one of them signed are pulled"),
  cache: z
    .string({ error: 'is not the address of a repository: oci://registry/name' })
    .regex(/^oci:\/\/[a-z0-9.-]+(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/, { error: 'is not the address of a repository: oci://registry/name' })
    .optional()
    .describe('Repository in a registry that builds read layers from by their keys; only those that a trusted key signed'),
  'cache-push': z.enum(['yes', 'no']).default(BUILT_IN['cache-push']).describe('Whether builds also write the layers that they made to `cache`, signed'),
  'remote-ca': path.optional().describe('File of certificates (PEM) that registries and S3 servers may be signed by, besides the usual ones'),
  'remote-fingerprints': z
    .string({ error: 'is not a list of server=sha256:…, with commas between them' })
    .regex(FINGERPRINTS, { error: 'is not a list of server=sha256:…, with commas between them' })
    .optional()
    .describe('Certificates of servers by their SHA-256, instead of who signed them: registry.example:5000=sha256:<64 hexadecimal digits>'),
  'log-level': z
    .enum(['debug', 'info', 'warn', 'error', 'fatal'])
    .default(BUILT_IN['log-level'])
    .describe("The least severe messages that go into ingot's log"),
  'cpu-overcommit': factor.default(BUILT_IN['cpu-overcommit']).describe("How many processors running VMs may have in all, in multiples of the host's"),
  'memory-overcommit': factor.default(BUILT_IN['memory-overcommit']).describe("How much memory running VMs may have in all, in multiples of the host's"),
  'disk-overcommit': factor
    .optional()
    .describe(
      'How large the disks of all VMs may be in all, in multiples of what is free for them on the host; default: no limit, since they take only what is written',
    ),
});

export type Settings = z.output<typeof settingsSchema>;
export type SettingName = keyof Settings;

/**
 * What the file of a project may set, and to what. It comes with a repository that somebody else may have written, so it
 * decides how much and how thoroughly is worked, never where data comes from or goes to, what else is started or
 * removed, and never that the host or an image is protected less: no mirrors, no folders, no alerts, no workspace on the host, no build without
 * a gate.
 */
export const PROJECT_MAY_SET: Readonly<Record<string, (value: unknown) => boolean>> = {
  jobs: () => true,
  workspace: (value) => value === 'vm',
  gate: (value) => value !== 'none',
  'default-release': () => true,
  'log-level': () => true,
};

/** The environment variable of a setting: `INGOT_SECURITY_MIRROR`. */
export function variableOf(name: string): string {
  return `INGOT_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** The setting of that name, or undefined. */
export function settingNamed(name: string): SettingName | undefined {
  return settingNames().find((known) => known === name);
}

/** All names, in the order of the schema. */
export function settingNames(): SettingName[] {
  return settingsSchema.keyof().options;
}
