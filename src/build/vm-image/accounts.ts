import type { GuestRoot } from '../../workspace/guest-root.ts';

/** What was taken from whom. */
export interface TakenAccess {
  /** Accounts that lost SSH keys. */
  readonly keys: readonly string[];
  /** Accounts whose password was locked. */
  readonly passwords: readonly string[];
  /** Private SSH keys that are left: they are the user's own, and go nowhere without being told. */
  readonly privateKeys: readonly string[];
}

/** Whom the image itself lets in. */
export interface OwnAccess {
  readonly keys: readonly string[];
  readonly passwords: readonly string[];
  /** The lab's public key as it stands in authorized_keys, without its kind and comment. */
  readonly labKey: string;
}

/** $1 accounts that keep their keys, $2 accounts that keep their password, $3 the lab's key, which nobody keeps. Files are written in place: they keep mode, owner and label. */
const SCRIPT = `
while IFS=: read -r user password uid gid comment home shell; do
  for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do
    if [ ! -e "$file" ] && [ ! -L "$file" ]; then continue; fi
    case " $1 " in
      *" $user "*)
        [ -n "$3" ] && [ -f "$file" ] && grep -qF -e "$3" "$file" || continue
        kept=$(grep -vF -e "$3" "$file" || true)
        printf '%s' "$kept\${kept:+
}" >"$file" ;;
      *) rm -rf -- "$file" ;;
    esac
    echo "keys $user"
  done
  for file in "$home"/.ssh/id_*; do
    case "$file" in *.pub) continue ;; esac
    if [ -f "$file" ]; then echo "private $file"; fi
  done
done </etc/passwd
locked=$(awk -F: -v keep=" $2 " '$2 !~ /^[!*]/ && index(keep, " " $1 " ") == 0 { print $1 }' /etc/shadow)
[ -n "$locked" ] || exit 0
shadow=$(awk -F: -v OFS=: -v keep=" $2 " '$2 !~ /^[!*]/ && index(keep, " " $1 " ") == 0 { $2 = "!*" } { print }' /etc/shadow)
printf '%s\\n' "$shadow" >/etc/shadow
printf 'password %s\\n' $locked
`;

/** Takes out who may log in to the VM, but for those whom its image lets in. What a user brought besides (keys of their own, say) is told, and stays. */
export async function takeAccess(root: Pick<GuestRoot, 'run'>, own: OwnAccess): Promise<TakenAccess> {
  const { stdout } = await root.run(['sh', '-ec', SCRIPT, 'sh', own.keys.join(' '), own.passwords.join(' '), own.labKey], { quiet: true, timeout: 300 });
  const of = (what: string): string[] => [
    ...new Set(stdout.split('\n').flatMap((line) => (line.startsWith(`${what} `) ? [printable(line.slice(what.length + 1))] : []))),
  ];
  return { keys: of('keys'), passwords: of('password'), privateKeys: of('private') };
}

/** Names come from a disk that nobody vouches for. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7E]/g, '?');
}
