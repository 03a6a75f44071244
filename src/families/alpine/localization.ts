import type { ResolvedSystem } from '../../template/template.ts';
import { joined, NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { BUILT_IN_LOCALES, timezone as timezoneCommand } from '../common/localization.ts';

const LOCALE = String.raw`
locale=$1
names=$(ls /usr/share/i18n/locales/musl)
if ! printf '%s\n' "$names" | grep -qx "$locale"; then
  near=$(printf '%s\n' "$names" | nearest "$locale")
  echo "There is no locale $locale.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
`;

/** Keymaps of the console as busybox's loadkmap reads them: /usr/share/bkeymaps/<layout>/<variant>.bmap.gz; the boot looks in /etc. */
const KEYMAP = String.raw`
layout=$1
map=/usr/share/bkeymaps/$layout/$layout.bmap.gz
if [ ! -f "$map" ]; then
  near=$(ls /usr/share/bkeymaps | nearest "$layout")
  echo "There is no keyboard layout $layout.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
mkdir -p /etc/keymap
cp "$map" "/etc/keymap/$layout.bmap.gz"
echo "KEYMAP=/etc/keymap/$layout.bmap.gz" >/etc/conf.d/loadkmap
[ -L /etc/runlevels/boot/loadkmap ] || rc-update --quiet add loadkmap boot
`;

/** Time zone, language and keyboard. What the image has not fails inside, with the nearest names. */
export function localizationChanges({ timezone, locale, keymap }: ResolvedSystem): Changes {
  const parts: Changes[] = [];
  if (timezone !== undefined) parts.push({ ...NOTHING, packages: ['tzdata'], commands: [timezoneCommand(timezone)] });
  if (locale !== undefined) {
    const builtIn = BUILT_IN_LOCALES.has(locale);
    parts.push({
      ...NOTHING,
      packages: builtIn ? [] : ['musl-locales'],
      // Read after the distribution's own 20locale.sh; logins without a shell, such as of services, have no locale here.
      files: [rootFile('/etc/profile.d/90-ingot-locale.sh', `export LANG=${locale}\n`)],
      commands: builtIn ? [] : [shell('locale', LOCALE, locale)],
    });
  }
  if (keymap !== undefined) parts.push({ ...NOTHING, packages: ['kbd-bkeymaps'], commands: [shell('keyboard', KEYMAP, keymap)] });
  return joined(parts);
}
