#!/bin/sh
# Made by ingot: the end of an installation, run as root in the installed system.
set -eu
nl='
'
set_locale() { # locale
  printf 'export LANG=%s\n' "$1" > /etc/profile.d/90-locale.sh
}
set_password() { # name, hash
  printf '%s:%s\n' "$1" "$2" | chpasswd -e
}
add_user() { # name, full name
  id "$1" > /dev/null 2>&1 || adduser -D -g "$2" -s /bin/sh "$1"
}
add_key() { # name, public key
  home=$(awk -F: -v name="$1" '$1 == name { print $6 }' /etc/passwd)
  group=$(id -gn "$1")
  install -d -m 700 -o "$1" -g "$group" "$home/.ssh"
  printf '%s\n' "$2" >> "$home/.ssh/authorized_keys"
  chown "$1:$group" "$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
  if command -v restorecon > /dev/null; then restorecon -R "$home/.ssh"; fi
}
allow_all() { # name
  mkdir -p /etc/doas.d
  printf 'permit nopass %s\n' "$1" > "/etc/doas.d/90-$1.conf"
}
run() { "$@"; }
shell() { sh -c "$1"; }

# The facts.
set_locale de_CH.UTF-8
set_password root '*'
add_user deploy 'Dora O'\''Neill & <Sons>'
set_password deploy '$6$ingot.example$vJCvOQpCL8pz0rm3mF8yKX1jKJ4HZ0oPYdH4tFhAqWvQ0e0uJrYy2Ltc0o6tXnZC5bA1Sg8dHMWc9K3fUe7Qm/'
add_key deploy 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampl dora@example.net'
allow_all deploy
add_user metrics ''
set_password metrics '*'
run systemctl enable fstrim.timer
shell 'echo "built $(date)" > /etc/motd'"$nl"'echo '\''done'\'' >> /etc/motd'
# End of the facts.
