import { IngotError, nearest } from '../../base/errors.ts';
import type { CsOsType } from './answers.ts';

/** What CloudStack's names of operating systems begin with, by the distribution of a release; the first that it has counts. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  debian: ['Debian GNU/Linux'],
  ubuntu: ['Ubuntu'],
  almalinux: ['AlmaLinux'],
  'almalinux-kitten': ['AlmaLinux'],
  rocky: ['Rocky Linux'],
  'centos-stream': ['CentOS Stream', 'CentOS'],
  rhel: ['Red Hat Enterprise Linux'],
  oraclelinux: ['Oracle Linux', 'Oracle Enterprise Linux'],
  fedora: ['Fedora Linux', 'Fedora'],
  'opensuse-leap': ['openSUSE Leap', 'openSUSE'],
  sles: ['SUSE Linux Enterprise Server', 'SUSE Linux Enterprise'],
};
/** What stands for any Linux; the first has no expectations of disk controllers. */
const ANY = ['Other PV Virtio-SCSI (64-bit)', 'Other PV (64-bit)', 'Other Linux (64-bit)', 'Other (64-bit)'];

export interface ChosenOsType {
  readonly id: string;
  readonly description: string;
  readonly why: string;
}

/**
 * The OS type for a release: that of its version, else of the newest version before it, else that of any Linux. The server derives drivers from it, so a
 * near one does no harm. Throws `os-type-unknown`.
 */
export function chooseOsType(all: readonly CsOsType[], release: string, wanted: string | undefined): ChosenOsType {
  if (wanted !== undefined) {
    const found = all.find(({ id, description }) => id === wanted || description.toLowerCase() === wanted.toLowerCase());
    if (found !== undefined) return { ...found, why: 'as asked for' };
    const near = nearest(
      wanted,
      all.map(({ description }) => description),
    );
    throw new IngotError('not-found', 'os-type-unknown', `CloudStack knows no OS type "${wanted}"`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'The web interface lists them when one registers a template.',
    });
  }
  const [, distribution = release, version = ''] = /^(.*?)-?([\d.]+)?$/.exec(release) ?? [];
  for (const name of NAMES[distribution] ?? []) {
    const candidates = all
      .filter(({ description }) => description.toLowerCase().startsWith(name.toLowerCase()) && !/32-bit/.test(description))
      .map((type) => ({ type, version: /(\d+(?:\.\d+)?)/.exec(type.description.slice(name.length))?.[1] ?? '' }))
      .filter((one) => compareVersions(one.version, version) <= 0)
      .toSorted((a, b) => compareVersions(b.version, a.version) || (a.type.description < b.type.description ? -1 : 1));
    const [best] = candidates;
    if (best === undefined) continue;
    const same = compareVersions(best.version, version) === 0;
    return { ...best.type, why: same ? `that of ${release}` : `the nearest to ${release}: there is no newer one` };
  }
  for (const name of ANY) {
    const found = all.find(({ description }) => description === name);
    if (found !== undefined) return { ...found, why: `CloudStack has none for ${release}` };
  }
  throw new IngotError('not-found', 'os-type-unknown', `CloudStack knows no OS type for ${release}, and none for any Linux`, {
    hint: 'Name one of its own with --os-type.',
  });
}

/** Compares by numbers; a version without a part is before one with any. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map((part) => (part === '' ? -1 : Number(part))));
  for (let i = 0; i < Math.max(left?.length ?? 0, right?.length ?? 0); i++) {
    // 9 is as good as any 9.x.
    const [x, y] = [left?.[i], right?.[i]];
    if (x === undefined || y === undefined) return 0;
    if (x !== y) return x - y;
  }
  return 0;
}
