import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { rootFile } from '../changes.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import { shell } from './shell.ts';

/** Name of the file of an authority that vouches for a server of the user's own, while the image is registered there. */
export const CA_FILE = 'ingot-registration.pem';

/** The file of that authority, where there is one. */
export function authorityFiles(folder: string, ca: string | undefined): RootFile[] {
  return ca === undefined ? [] : [rootFile(`${folder}/${CA_FILE}`, ca)];
}

/**
 * What would tell who the machine was: files that the registration made, addresses of repositories that ask for its password, and the texts of standard input
 * (names and passwords that the vendor gave it, the secret itself), wherever its programs write. Databases of packages hold words of their own.
 */
const CHECK = String.raw`
cat >/tmp/traces
found=
for pattern; do for file in $pattern; do if [ -e "$file" ] || [ -L "$file" ]; then found="$found /$file"; fi; done; done
for file in etc/zypp/services.d/*.service etc/zypp/repos.d/*.repo etc/yum.repos.d/*.repo; do
  if [ -f "$file" ] && grep -qE '^(url|baseurl)=.*[?&]credentials=|^sslclientkey *= */etc/pki/entitlement/' "$file"; then found="$found /$file"; fi
done
if [ -s /tmp/traces ]; then
  for file in $(grep -rlFs -D skip --exclude-dir=rpm --exclude-dir=rpmdb -f /tmp/traces etc var root || true); do found="$found /$file"; done
fi
if [ -n "$found" ]; then
  echo "The registration is still in$found." >&2
  exit 1
fi
`;

/** Fails where something of a registration is left; `paths` are shell patterns relative to the root. */
export function checkUnregistered(paths: readonly string[]): GuestCommand {
  return shell('no trace of the registration', CHECK, ...paths);
}
