import type { ResolvedSystem } from '../../template/template.ts';
import type { Changes } from '../changes.ts';
import { BUILT_IN_LOCALES, timezone as timezoneCommand } from '../common/localization.ts';
import { shell } from '../common/shell.ts';

/**
 * /usr/share/i18n/SUPPORTED has a line for each locale with its character set, just as /etc/locale.gen wants it. Where the locale is, which file
 * says which it is, and whether that file is a link, differs between releases: update-locale knows.
 */
const LOCALE = String.raw`
locale=$1
line=$(awk -v name="$locale" '$1 == name { print; exit }' /usr/share/i18n/SUPPORTED)
if [ -z "$line" ]; then
  near=$(cut -d ' ' -f 1 /usr/share/i18n/SUPPORTED | nearest "$locale")
  echo "There is no locale $locale.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
printf '%s\n' "$line" >/etc/locale.gen
locale-gen
update-locale "LANG=$locale"
`;

/** setupcon writes what the console's keys mean to where the boot finds it, so that it need not be worked out at each boot. */
const KEYMAP = String.raw`
layout=$1
names=$(awk '/^! / { wanted = ($2 == "layout") } wanted && !/^!/ { print $1 }' /usr/share/X11/xkb/rules/base.lst)
if ! printf '%s\n' "$names" | grep -qx "$layout"; then
  near=$(printf '%s\n' "$names" | nearest "$layout")
  echo "There is no keyboard layout $layout.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
setupcon --save-only
`;

/** Time zone, language and keyboard. What the image has not fails inside, with the nearest names. */
export function localizationChanges({ timezone, locale, keymap }: ResolvedSystem): Changes {
  const builtIn = locale !== undefined && BUILT_IN_LOCALES.has(locale);
  return {
    packages: [
      ...(timezone === undefined ? [] : ['tzdata']),
      ...(locale === undefined || builtIn ? [] : ['locales']),
      ...(keymap === undefined ? [] : ['console-setup', 'keyboard-configuration']),
    ],
    files: [
      ...(builtIn ? [{ path: '/etc/default/locale', content: `LANG=${locale}\n`, mode: '0644' }] : []),
      ...(keymap === undefined ? [] : [{ path: '/etc/default/keyboard', content: keyboard(keymap), mode: '0644' }]),
    ],
    commands: [
      ...(timezone === undefined ? [] : [timezoneCommand(timezone, 'echo "$zone" >/etc/timezone')]),
      ...(locale === undefined || builtIn ? [] : [shell('locale', LOCALE, locale)]),
      ...(keymap === undefined ? [] : [shell('keyboard', KEYMAP, keymap)]),
    ],
    kernelArguments: [],
  };
}

/** keyboard(5). */
function keyboard(layout: string): string {
  return `XKBMODEL="pc105"\nXKBLAYOUT="${layout}"\nXKBVARIANT=""\nXKBOPTIONS=""\nBACKSPACE="guess"\n`;
}
