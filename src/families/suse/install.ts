import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { commandLine } from '../common/rpm-boot.ts';
import { shell } from '../common/shell.ts';

/** MicroOS and its like have a root that is replaced as a whole by transactional-update(8), and zypper refuses them in words of its own. */
const CLASSIC = String.raw`
if grep -qiE '^ID="?(opensuse-microos|opensuse-aeon|opensuse-kalpa|opensuse-leap-micro|suse-microos|sle-micro|sl-micro)"?$' /etc/os-release 2>/dev/null; then
  echo 'The image is a transactional system, which is updated as a whole: packages cannot be added to it or removed.' >&2
  exit 1
fi
`;

/**
 * Exit codes of zypper(8): 102 says that the machine should start anew, which an image does anyway; 103 that zypper itself was updated, and has to be called
 * again. 106 says that a repository was left out, and 107 that a package's script failed; both are failures here. What zypper says last is often a hint, so
 * the lines that tell of the fault are said again.
 */
const ZYPPER = String.raw`
for attempt in 1 2; do
  {
    code=0
    zypper --non-interactive "$@" 2>&1 || code=$?
    echo "$code" >/tmp/zypper-code
  } | tee /tmp/zypper
  read -r code </tmp/zypper-code
  case "$code" in
    0 | 102) exit 0 ;;
    103) ;;
    *) break ;;
  esac
done
if [ "$code" = 103 ]; then exit 0; fi
grep -E '^(Problem|Error|Warning|Repository|Package|No provider|Signature|File|.*(rror|not found|failed|invalid|unsigned|unknown key))' /tmp/zypper | grep -v '^Warning: .*outdated' | paste -s -d ' ' | cut -c 1-400 >&2
exit "$code"
`;

const zypper = (label: string, ...words: readonly string[]): GuestCommand => shell(label, ZYPPER, ...words);

/** zypper itself, after what has to hold before. Keys that nobody pinned are refused, since nobody can be asked. */
export function change(label: string, ...words: readonly string[]): GuestCommand[] {
  return [shell('kind of system', CLASSIC), commandLine(), zypper('repositories', 'refresh'), zypper(label, ...words)];
}

export function install(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : change('install', 'install', '--no-recommends', '--auto-agree-with-licenses', ...packages);
}

export function remove(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : [shell('kind of system', CLASSIC), zypper('remove', 'remove', '--clean-deps', ...packages)];
}

/** Switches on repositories or modules that the distribution knows but has off. */
export function enable(repositories: readonly string[]): GuestCommand[] {
  return repositories.length === 0 ? [] : [zypper('repositories', 'modifyrepo', '--enable', ...repositories)];
}
