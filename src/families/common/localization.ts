import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { NOTHING, type Changes } from '../changes.ts';
import { shell } from './shell.ts';

const TIMEZONE = String.raw`
zone=$1
if [ ! -f "/usr/share/zoneinfo/$zone" ]; then
  near=$(cd /usr/share/zoneinfo; find . -type f ! -path './posix/*' ! -path './right/*' -path './[A-Z]*' | cut -c 3- | nearest "$zone")
  echo "There is no time zone $zone in the image.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
ln -sfn "/usr/share/zoneinfo/$zone" /etc/localtime
`;

/** The time zone as systemd knows it; `also` is a line of shell which says `$zone` elsewhere, too. */
export function timezone(zone: string, also = ''): GuestCommand {
  return shell('time zone', `${TIMEZONE}${also}`, zone);
}

/** `locale -a` writes character sets in another form than everybody else. */
const LOCALE = String.raw`
locale=$1
same() { printf '%s\n' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/utf-8/utf8/'; }
if ! locale -a | while read -r name; do same "$name"; done | grep -qxF "$(same "$locale")"; then
  near=$(locale -a | nearest "$locale")
  echo "There is no locale $locale in the image.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
printf 'LANG=%s\n' "$locale" >/etc/locale.conf
`;

/** Keymaps of the console are named like the keyboard layouts from which they are made, or differ only by what follows a dash. */
const KEYMAP = String.raw`
layout=$1
names=$(find /usr/share/kbd/keymaps /usr/lib/kbd/keymaps /usr/share/keymaps -name '*.map*' 2>/dev/null | sed 's|.*/||; s|\.map.*||' | sort -u)
if ! printf '%s\n' "$names" | grep -qxF "$layout"; then
  near=$(printf '%s\n' "$names" | nearest "$layout")
  echo "There is no keyboard layout $layout.$(if [ -n "$near" ]; then echo " The nearest are $near."; fi)" >&2
  exit 1
fi
printf 'KEYMAP=%s\n' "$layout" >/etc/vconsole.conf
`;

/** Locales that the C library brings. */
export const BUILT_IN_LOCALES = new Set(['C', 'POSIX', 'C.UTF-8']);

/** Which packages hold what the system section asks for. */
export interface LocalizationPackages {
  readonly timezone: string;
  /** For a locale that the C library does not bring. */
  readonly locale: (name: string) => string;
  readonly keymap: string;
}

/** Time zone, language and keyboard in systemd's files (localtime(5), locale.conf(5), vconsole.conf(5)). What the image has not fails inside. */
export function systemdLocalization({ timezone: zone, locale, keymap }: ResolvedSystem, packages: LocalizationPackages): Changes {
  return {
    ...NOTHING,
    packages: [
      ...(zone === undefined ? [] : [packages.timezone]),
      ...(locale === undefined || BUILT_IN_LOCALES.has(locale) ? [] : [packages.locale(locale)]),
      ...(keymap === undefined ? [] : [packages.keymap]),
    ],
    commands: [
      ...(zone === undefined ? [] : [timezone(zone)]),
      ...(locale === undefined ? [] : [shell('locale', LOCALE, locale)]),
      ...(keymap === undefined ? [] : [shell('keyboard', KEYMAP, keymap)]),
    ],
  };
}
