import type { Release } from '../../catalog/schema.ts';
import type { ResolvedUser } from '../../template/template.ts';
import type { Changes } from '../changes.ts';
import { accountChanges, READ_HASH, type AccountScripts } from '../common/users.ts';

/**
 * busybox has adduser, addgroup and chpasswd, and nothing to change an account, hence the edit of /etc/passwd. A user's own group has the user's name,
 * and the user's number where that is free; further groups that are missing become system groups, as in other families.
 */
const ACCOUNT = String.raw`
name=$1 uid=$2 home=$3 shell=$4 comment=$5 system=$6 groups=$7
if [ -n "$shell" ] && [ ! -x "$shell" ]; then
  echo "The shell $shell of the user $name is not in the image: add its package to the packages." >&2
  exit 1
fi
if [ -n "$uid" ]; then
  holder=$(getent passwd "$uid" | cut -d : -f 1)
  if [ -n "$holder" ] && [ "$holder" != "$name" ]; then
    echo "The user $name cannot have the number $uid: $holder has it." >&2
    exit 1
  fi
fi
for group in $(echo "$groups" | tr , ' '); do getent group "$group" >/dev/null || addgroup -S "$group"; done
if getent passwd "$name" >/dev/null; then
  old=$(id -u "$name")
  export uid home shell comment
  awk -F : -v OFS=: -v name="$name" '
    $1 == name {
      if (ENVIRON["uid"] != "") $3 = ENVIRON["uid"]
      if (ENVIRON["comment"] != "") $5 = ENVIRON["comment"]
      if (ENVIRON["home"] != "") $6 = ENVIRON["home"]
      if (ENVIRON["shell"] != "") $7 = ENVIRON["shell"]
    }
    { print }' /etc/passwd >/tmp/passwd
  cat /tmp/passwd >/etc/passwd
  place=$(getent passwd "$name" | cut -d : -f 6)
  if [ -n "$uid" ] && [ "$uid" != "$old" ] && [ -d "$place" ]; then find "$place" -xdev -user "$old" -exec chown -h "$uid" {} +; fi
else
  kind=; if [ "$system" = yes ]; then kind=-S; fi
  if ! getent group "$name" >/dev/null; then
    if [ -n "$uid" ] && ! getent group "$uid" >/dev/null; then addgroup $kind -g "$uid" "$name"; else addgroup $kind "$name"; fi
  fi
  set -- -D -G "$name" -g "$comment"
  [ -z "$uid" ] || set -- "$@" -u "$uid"
  if [ "$system" = yes ]; then
    set -- "$@" -S -s "${'$'}{shell:-/sbin/nologin}"
    if [ -n "$home" ]; then set -- "$@" -h "$home"; else set -- "$@" -H -h /nonexistent; fi
  else
    for default in /bin/bash /bin/ash /bin/sh; do if [ -x "$default" ]; then break; fi; done
    set -- "$@" -h "${'$'}{home:-/home/$name}" -s "${'$'}{shell:-$default}"
  fi
  adduser "$@" "$name"
fi
for group in $(echo "$groups" | tr , ' '); do
  case ",$(getent group "$group" | cut -d : -f 4)," in
    *",$name,"*) ;;
    *) addgroup "$name" "$group" ;;
  esac
done
`;

/** The day of the last change of a password, which would be that of the build, is cleared: passwords do not age. */
const NO_DAY = String.raw`sed -i "s/^\($1:[^:]*\):[0-9]*:/\1::/" /etc/shadow`;

/** Not `!`: sshd without PAM, as Alpine's is, takes that for an account that is locked, and lets no key in either. */
const NO_PASSWORD = String.raw`printf '%s:*\n' "$1" | chpasswd -e 2>/dev/null; ${NO_DAY}`;

const PASSWORD = String.raw`${READ_HASH.trimEnd()}
printf '%s:%s\n' "$1" "$hash" | chpasswd -e 2>/dev/null
${NO_DAY}
`;

const BUSYBOX: AccountScripts = { account: ACCOUNT, noPassword: NO_PASSWORD, password: PASSWORD };

/** The accounts of a template, made by busybox. Throws `user-invalid` and `ssh-key-invalid`. */
export function usersChanges(users: readonly ResolvedUser[], release: Pick<Release, 'defaultUser'>): Changes {
  return accountChanges(users, release, BUSYBOX);
}
