import type { ResolvedSnap } from '../../template/template.ts';
import { NOTHING, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { snapsChanges } from '../common/snaps.ts';

/** snapd's own unit is off after installation, and classic snaps look for their files below /snap (snapcraft.io, installing snapd). */
const SNAPD = String.raw`
systemctl enable --quiet snapd.socket
[ -e /snap ] || ln -s /var/lib/snapd/snap /snap
`;

/** As on Debian; snapd is a package of Fedora, and of EPEL for the others, which then has to be among the repositories of the image. */
export function rhelSnaps(snaps: readonly ResolvedSnap[]): Changes {
  return snaps.length === 0 ? NOTHING : { ...snapsChanges(snaps), commands: [shell('snapd', SNAPD)] };
}
