import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { shell } from '../common/shell.ts';
import { commandLine } from '../common/rpm-boot.ts';

/** Options that dnf 4 and 5 share: asks nothing, checks signatures, takes no more than is needed, and no old answer for what a repository has. */
const DNF = ['dnf', '--assumeyes', '--refresh', '--setopt=gpgcheck=True', '--setopt=install_weak_deps=False', '--setopt=keepcache=False'] as const;

/** Systems that are updated as a whole have no package manager that could add to them. */
const CLASSIC = String.raw`
if [ -d /ostree ] || [ -d /sysroot/ostree ]; then
  echo 'The image is updated as a whole (ostree, bootc): packages cannot be added to it or removed.' >&2
  exit 1
fi
`;

/** dnf itself, after what has to hold before. */
export function dnf(label: string, ...words: readonly string[]): GuestCommand[] {
  return [shell('kind of system', CLASSIC), commandLine(), { label, argv: [...DNF, ...words] }];
}

/** A version is a part of the name for dnf. */
export function install(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : dnf('install', 'install', ...packages.map((name) => name.replace('=', '-')));
}

export function remove(packages: readonly string[]): GuestCommand[] {
  return packages.length === 0 ? [] : dnf('remove', 'remove', ...packages);
}

/** By hand, since `dnf config-manager` is a plugin that images lack, and dnf 5 took other words for it. */
const ENABLE = String.raw`
for id; do
  file=$(grep -lxF "[$id]" /etc/yum.repos.d/*.repo 2>/dev/null | head -n 1)
  if [ -z "$file" ]; then
    near=$(sed -n 's/^\[\(.*\)\]$/\1/p' /etc/yum.repos.d/*.repo 2>/dev/null | nearest "$id")
    echo "There is no repository $id in the image.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
    exit 1
  fi
  awk -v section="[$id]" '
    function missing() { if (inside && !said) print "enabled=1" }
    /^\[/ { missing(); inside = ($0 == section); said = 0 }
    inside && /^enabled[ \t]*=/ { if (!said) print "enabled=1"; said = 1; next }
    { print }
    END { missing() }' "$file" >/tmp/repository
  cat /tmp/repository >"$file"
done
`;

/** Switches on repositories that the distribution knows but has off, such as `crb`. */
export function enable(repositories: readonly string[]): GuestCommand[] {
  return repositories.length === 0 ? [] : [shell('repositories', ENABLE, ...repositories)];
}
