import type { GateCheck } from '../check.ts';

export const packageSources: GateCheck = {
  name: 'package-sources',
  holds: "The image's package sources are those it was built to keep, and no other.",
  where: 'disk',
  script: `
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  [ -f "$file" ] || continue
  grep -oE 'https?://[^ ]+' "$file" | while read -r uri; do
    case " $INGOT_REPOSITORIES " in *" \${uri%/} "*) ;; *) echo "$file uses $uri" ;; esac
  done
done
`,
};
