import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';
import { BUILT_IN_LOCALES, systemdLocalization } from '../common/localization.ts';
import { shell } from '../common/shell.ts';

/** locale-gen(8) makes what /etc/locale.gen names. The file as it comes names all that there are, each behind a #; in its head there are words. */
const LOCALE = String.raw`
locale=$1
names=$(cat /usr/share/i18n/SUPPORTED /etc/locale.gen 2>/dev/null | awk '{ sub(/^#[ \t]*/, "") } NF == 2 && $2 ~ /^[A-Z0-9-]+$/ { print }' | sort -u)
line=$(printf '%s\n' "$names" | awk -v name="$locale" '$1 == name { print; exit }')
if [ -z "$line" ]; then
  near=$(printf '%s\n' "$names" | cut -d ' ' -f 1 | nearest "$locale")
  echo "There is no locale $locale.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
printf '%s\n' "$line" >/etc/locale.gen
locale-gen
printf 'LANG=%s\n' "$locale" >/etc/locale.conf
`;

/** Time zone, language and keyboard. What the image has not fails inside, with the nearest names. */
export function localizationChanges(system: ResolvedSystem): Changes {
  const { locale, ...rest } = system;
  const others = systemdLocalization(rest, { timezone: 'tzdata', locale: () => 'glibc', keymap: 'kbd' });
  if (locale === undefined) return others;
  const own: Changes = BUILT_IN_LOCALES.has(locale)
    ? { ...NOTHING, files: [rootFile('/etc/locale.conf', `LANG=${locale}\n`)] }
    : { ...NOTHING, packages: ['glibc'], commands: [shell('locale', LOCALE, locale)] };
  return joined([others, own]);
}
