import { resolve } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { guestPath, type HostPath } from '../../base/types.ts';
import { familyOf } from '../../families/families.ts';
import type { Image } from '../../store/model.ts';
import { findShareDaemon, type ShareDaemon } from './share-daemon.ts';
import type { Share, ShareKind } from './vm-record.ts';

/** A folder of the host that a VM is to have. */
export type WantedShare = Pick<Share, 'host' | 'guest' | 'readOnly'>;

const FORM = 'Write HOST:GUEST such as ./src:/srv/src, and :ro behind it where the VM must not write.';
/** What a guest cannot do without, or has filled itself. */
const NOT_OVER = ['/', '/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/proc', '/root', '/run', '/sbin', '/sys', '/usr', '/var'];

/** Reads `HOST:GUEST[:ro]`; a relative HOST begins at `folder`. Throws `share-invalid`. */
export function parseShare(text: string, folder: HostPath | undefined): WantedShare {
  const readOnly = text.endsWith(':ro');
  const words = readOnly ? text.slice(0, -3) : text;
  const at = words.lastIndexOf(':');
  const [host, guest] = [words.slice(0, at), words.slice(at + 1)];
  const fail = (why: string): never => {
    throw new IngotError('usage', 'share-invalid', `"${text}" is no shared folder: ${why}`, { hint: FORM });
  };
  if (at < 1) return fail('it has no folder of the host, a colon, and a folder of the guest');
  // It becomes a word of the guest's /etc/fstab.
  if (!/^\/[\w@%+=:.,/-]*$/.test(guest) || guest.split('/').includes('..')) return fail(`${guest === '' ? 'nothing' : guest} is no absolute path of the guest`);
  const target = resolve('/', guest);
  if (NOT_OVER.includes(target)) return fail(`it would hide ${target} of the guest`);
  if (folder === undefined && !host.startsWith('/')) return fail('its folder of the host is not absolute');
  return { host: resolve(folder ?? '/', host), guest: guestPath(target), readOnly };
}

/** A share for people: `/home/me/src -> /srv/src (virtiofs, read-only)`. */
export function describeShare({ host, guest, kind, readOnly }: Share): string {
  return `${host} -> ${guest} (${kind}${readOnly ? ', read-only' : ''})`;
}

/** Decides how the guest gets the folders, before anything is made. Throws `share-invalid`, `share-unsupported`. */
export async function planShares(host: Host, image: Pick<Image, 'config'>, wanted: readonly WantedShare[]): Promise<Share[]> {
  if (wanted.length === 0) return [];
  const found: WantedShare[] = [];
  for (const share of wanted) {
    const real = await host.files.resolveLinks(share.host);
    if (real === undefined || (await host.files.status(real))?.kind !== 'directory') {
      throw new IngotError('not-found', 'share-invalid', `There is no folder ${share.host} that could be shared`);
    }
    found.push({ ...share, host: real });
  }
  const { family, kernel } = image.config['dev.ingot.image'];
  const can = kernelShares(family, kernel);
  const daemon = await findShareDaemon(host);
  const { platform, uid } = host.machine;
  return found.map((share, index) => {
    if (found.findIndex(({ guest }) => guest === share.guest) !== index) {
      throw new IngotError('usage', 'share-invalid', `Two folders are shared as ${share.guest}`);
    }
    return {
      tag: `share${index}`,
      kind: chooseKind({ can, kernel, daemon, root: uid === 0, linux: platform === 'linux', readOnly: share.readOnly }),
      ...share,
    };
  });
}

/** What the kernel of an image can mount; a kernel that is not known has what the smallest of its family has. */
function kernelShares(family: string, kernel: string): readonly ShareKind[] {
  const { shares } = familyOf(family).traits;
  return kernel === 'generic' ? shares.generic : shares.cloud;
}

interface ShareMeans {
  readonly can: readonly ShareKind[];
  readonly kernel: string;
  readonly daemon: ShareDaemon | undefined;
  readonly root: boolean;
  readonly linux: boolean;
  readonly readOnly: boolean;
}

/** virtiofs where both sides can, else 9p where the guest can, else the reason why not. Pure. Throws `share-unsupported`. */
export function chooseKind({ can, kernel, daemon, root, linux, readOnly }: ShareMeans): ShareKind {
  const missing = !can.includes('virtiofs')
    ? { why: `the image's ${kernel} kernel has no virtiofs`, hint: 'Use an image with another kernel.' }
    : !linux
      ? { why: 'virtiofs works on Linux hosts alone', hint: 'Use an image with the generic kernel.' }
      : daemon === undefined
        ? { why: 'virtiofsd is not installed', hint: 'Install virtiofsd (Debian 13, Ubuntu, Fedora), which is in qemu-system-common on Debian 12.' }
        : !root && daemon.dialect === 'c'
          ? {
              why: `${daemon.path} works for root alone`,
              hint: 'Run ingot as root, install the virtiofsd of Debian 13 or later, or use an image with the generic kernel.',
            }
          : readOnly && !root && !daemon.readOnly
            ? { why: `${daemon.path} cannot share a folder read-only unless as root`, hint: 'Run ingot as root, or update virtiofsd.' }
            : undefined;
  if (missing === undefined) return 'virtiofs';
  if (can.includes('9p')) return '9p';
  const both = can.includes('virtiofs') ? `${missing.why}, and the image's ${kernel} kernel has no 9p` : `${missing.why} and no 9p`;
  throw new IngotError('host', 'share-unsupported', `No folder can be shared with this VM: ${both}`, { hint: missing.hint });
}
