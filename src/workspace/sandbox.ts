import type { Argv } from '../base/process.ts';

/** What steps keep of root's rights: enough for package managers, nothing that reaches the host (no mknod, no mount). */
const CAPABILITIES = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SETFCAP', 'CAP_SYS_CHROOT'];
/** Without the network the namespace is the step's own: `nginx -t` and the like open their port there, and nothing hears of it. */
const ALONE = ['CAP_NET_BIND_SERVICE'];

export interface SandboxOptions {
  /** Off by default: what has no network cannot fetch what is not in its key. */
  readonly network?: boolean;
  /** The program itself is the first process of its namespace: for those that look there for what kind of system they are on. */
  readonly first?: boolean;
  /** Name of the machine that it takes itself to be on; default `localhost`. */
  readonly hostname?: string;
  /** Path inside -> path outside, writable. */
  readonly bind?: Readonly<Record<string, string>>;
  /** Path inside -> path outside, read-only. */
  readonly readOnly?: Readonly<Record<string, string>>;
}

/**
 * The command line that runs `argv` with `root` as its file system: bubblewrap with new namespaces, an empty /tmp and
 * /run, and few capabilities. /tmp is 1777 and /run 0755, since bubblewrap's own 0700 hides resolv.conf and the like
 * from unprivileged helpers such as apt's.
 */
export function sandboxed(root: string, argv: readonly string[], options: SandboxOptions = {}): Argv {
  return [
    'bwrap',
    '--die-with-parent',
    '--unshare-pid',
    ...(options.first === true ? ['--as-pid-1'] : []),
    '--unshare-ipc',
    '--unshare-uts',
    '--hostname',
    options.hostname ?? 'localhost',
    ...(options.network === true ? [] : ['--unshare-net']),
    '--bind',
    root,
    '/',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--perms',
    '1777',
    '--tmpfs',
    '/tmp',
    '--perms',
    '0755',
    '--tmpfs',
    '/run',
    ...binds('--bind', options.bind),
    ...binds('--ro-bind', options.readOnly),
    '--chdir',
    '/',
    '--cap-drop',
    'ALL',
    ...[...CAPABILITIES, ...(options.network === true ? [] : ALONE)].flatMap((capability) => ['--cap-add', capability]),
    '--',
    ...argv,
  ];
}

/** A disk that is a device is bound as one: bubblewrap otherwise makes its node unusable. Whether a device can be written is not the mount's to say. */
function binds(flag: string, paths: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(paths).flatMap(([inside, outside]) => [outside.startsWith('/dev/') ? '--dev-bind' : flag, outside, inside]);
}

/**
 * The time of whatever programs would otherwise date with the time of the build: initramfs archives, the day on which an account's
 * password was set, directory entries of the EFI system partition (reproducible-builds.org, SOURCE_DATE_EPOCH). 2026-01-01, in seconds.
 * It is in no key, since it never changes: another value would need another version of the keys' format.
 */
export const BUILD_EPOCH = 1_767_225_600;

/** Environment of commands inside an image: nothing asks, nothing depends on the host's language or on the time. */
export const GUEST_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
  DEBCONF_NONINTERACTIVE_SEEN: 'true',
  SOURCE_DATE_EPOCH: String(BUILD_EPOCH),
};
