import type { GateCheck } from '../check.ts';

export const packageLists: GateCheck = {
  name: 'package-lists',
  holds: 'No package lists or downloaded packages are left.',
  where: 'disk',
  script: `
for folder in /var/lib/apt/lists /var/cache/apt /var/cache/dnf /var/cache/libdnf5 /var/cache/yum /var/cache/zypp /var/cache/pacman/pkg /var/lib/pacman/sync /var/cache/apk; do
  [ -d "$folder" ] && find "$folder" -type f ! -name lock | sed 's/$/ is left/'
done
`,
};
