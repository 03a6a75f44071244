import { isIPv4 } from 'node:net';
import * as z from 'zod';
import { ARCHITECTURES } from '../../../catalog/cloud-image-schema.ts';

/*
 * What an unattended installation is told, whatever its installer is: plain data, and the one source of types and checks. Each kind of answer file
 * (answers.ts) says the same facts in its own words. Texts hold no control characters but tabs and newlines, which every format can carry.
 */

// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const ONE_LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]*$/u;
// oxlint-disable-next-line no-control-regex -- the same, but for tab and newline
const LINES = /^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]*$/u;

const oneLine = z.string().regex(ONE_LINE, 'must be one line without control characters').refine(isWhole, 'must be whole Unicode text');
const lines = z.string().regex(LINES, 'must hold no control characters').refine(isWhole, 'must be whole Unicode text');

/** Whether a text has no half of a surrogate pair, which no file can hold. */
function isWhole(text: string): boolean {
  return text.isWellFormed();
}

/** A hash as /etc/shadow has it; crypt(5) says which characters are never in one. */
const passwordHash = z.string().regex(/^\$[A-Za-z0-9./$=,+_-]{1,255}$/, 'must be a crypt(5) hash, such as $6$…');
/** Without user, query and fragment, which not every installer can say; without the slash at its end. */
const mirrorAddress = z
  .url({ protocol: /^https?$/ })
  .regex(/^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?(\/[A-Za-z0-9._~%+,@=/-]*)?$/, 'must be an address without user, query and fragment')
  .overwrite((text) => text.replace(/\/+$/, ''));
const proxyAddress = z
  .url({ protocol: /^https?$/ })
  .regex(/^https?:\/\/[A-Za-z0-9:@._~%+=/-]+$/, 'must be an address; write others than letters and digits of a password as %xx');
const ipv4 = z.string().refine((text) => isIPv4(text), 'must be an IPv4 address');
/** What a service of subscriptions hands out: one word. */
const subscriptionWord = z.string().regex(/^[A-Za-z0-9._:@+-]{1,256}$/, 'must be one word');

const installUserSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'must be a user name')
    .refine((name) => name !== 'root', 'must not be root, which has a field of its own'),
  /** Without colon, which separates fields, and comma, which separates its parts. */
  fullName: oneLine.regex(/^[^:,\s]([^:,]*[^:,\s])?$/u, 'must hold no colon, no comma and no blank at its ends').optional(),
  /** Without one, no password works. */
  passwordHash: passwordHash.optional(),
  /** Public keys, a line each. */
  sshKeys: z.array(oneLine.regex(/^\S(.*\S)?$/u, 'must be one line without blanks at its ends')),
  /** Whether sudo (doas on Alpine) asks for no password and allows everything. */
  sudo: z.boolean(),
});

/** A command of the user, run in the installed system before the machine goes off: words, or text for `sh`. */
const lateCommandSchema = z.union([z.strictObject({ argv: z.array(lines).min(1) }), z.strictObject({ shell: lines.min(1) })]);

const networkSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('dhcp') }),
  z.strictObject({
    kind: z.literal('static'),
    address: z
      .string()
      .refine(
        (text) => /^[^/]+\/([1-9]|[12]\d|3[0-2])$/.test(text) && isIPv4(text.replace(/\/.*$/, '')),
        'must be an IPv4 address with its prefix, such as 192.0.2.10/24',
      ),
    gateway: ipv4,
    nameservers: z.array(ipv4).min(1),
  }),
]);

/** What makes an installation one that is paid for. The values are fetched when the installation runs, and masked ({@link installSecrets}). */
const subscriptionSchema = z.discriminatedUnion('kind', [
  /** Red Hat: number of the organization, and an activation key. */
  z.strictObject({ kind: z.literal('redhat'), organization: subscriptionWord, activationKey: subscriptionWord }),
  /** SUSE Customer Center. */
  z.strictObject({ kind: z.literal('suse'), registrationCode: subscriptionWord, email: z.email().optional() }),
  /** A key that the installer itself asks for. */
  z.strictObject({ kind: z.literal('product-key'), key: subscriptionWord }),
]);

export const installFactsSchema = z.strictObject({
  release: z.strictObject({
    /** As in the catalog: `debian`, `almalinux`, `opensuse-leap`. */
    distribution: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
    /** `12`, `24.04`, `15.6`, `rolling`. */
    version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
    codename: z
      .string()
      .regex(/^[a-z][a-z0-9-]*$/)
      .optional(),
    architecture: z.enum(ARCHITECTURES),
  }),
  hostname: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/, 'must be a host name'),
  /** `de_CH.UTF-8`. */
  locale: z.string().regex(/^[A-Za-z_]+(\.[A-Za-z0-9-]+)?(@[a-z]+)?$/, 'must be a locale such as de_CH.UTF-8'),
  /** Layout of the console's keyboard: `us`, `ch`. */
  keyboard: z.string().regex(/^[a-z0-9-]+$/, 'must be a keyboard layout such as ch or us'),
  timezone: z.string().regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/, 'must be a zone such as Europe/Zurich'),
  disk: z.strictObject({
    /** The disk that is erased: a device, or `first`: the one disk that there is. */
    device: z.string().regex(/^(first|\/dev\/[A-Za-z0-9/_:.-]+)$/, 'must be first, or a device such as /dev/vda'),
    firmware: z.enum(['bios', 'uefi']),
    filesystem: z.enum(['ext4', 'xfs', 'btrfs']),
    /** MiB of a swap partition; none without it. */
    swap: z.int().min(16).max(1_048_576).optional(),
  }),
  users: z.array(installUserSchema).refine((users) => new Set(users.map(({ name }) => name)).size === users.length, 'must not name a user twice'),
  /** Without one, root has no password that works. */
  rootPasswordHash: passwordHash.optional(),
  /** Besides the installer's minimal set, by the distribution's own names. */
  packages: z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+_-]*$/, 'must be the name of a package')),
  network: networkSchema,
  /** Where packages come from, where it is not the medium or the distribution's default. */
  mirror: mirrorAddress.optional(),
  proxy: proxyAddress.optional(),
  subscription: subscriptionSchema.optional(),
  lateCommands: z.array(lateCommandSchema),
  /** What the machine does when it is installed: going off is what ingot waits for. */
  finish: z.literal('poweroff'),
});
/** What an unattended installation is told. */
export type InstallFacts = z.output<typeof installFactsSchema>;
export type InstallUser = InstallFacts['users'][number];
export type InstallNetwork = InstallFacts['network'];
export type LateCommand = InstallFacts['lateCommands'][number];
export type InstallRelease = InstallFacts['release'];

/** The values of facts that no log, error or screen may show: for the masker. */
export function installSecrets({
  users,
  rootPasswordHash,
  subscription,
  proxy,
}: Pick<InstallFacts, 'users' | 'rootPasswordHash' | 'subscription' | 'proxy'>): string[] {
  const keys =
    subscription === undefined
      ? []
      : subscription.kind === 'redhat'
        ? [subscription.activationKey]
        : subscription.kind === 'suse'
          ? [subscription.registrationCode]
          : [subscription.key];
  return [
    ...users.map(({ passwordHash: hash }) => hash),
    rootPasswordHash,
    ...keys,
    proxy === undefined || new URL(proxy).password === '' ? undefined : proxy,
  ].filter((value) => value !== undefined);
}
