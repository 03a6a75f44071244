# What rules set and verify that needs more than a line: `do NAME` is apply_NAME and check_NAME, `check NAME` is check_NAME.
# shellcheck shell=sh disable=SC2154

check_active() {
  if command -v systemctl >/dev/null; then systemctl --quiet is-active "$1" || echo "$1 does not run"
  else rc-service --quiet "${1%.service}" status || echo "$1 does not run"; fi
}

# --- firewall -------------------------------------------------------------------------------------------------------------------------------

nft_file() { if [ "$(family)" = alpine ]; then echo /etc/nftables.nft; else echo /etc/nftables.conf; fi; }

apply_firewall() {
  case "$(family)" in
    rhel | suse)
      for port in $(selected_values open-ports); do firewall-offline-cmd --add-port="$port" >/dev/null || return 1; done
      apply_unit firewalld.service enabled
      return
      ;;
  esac
  mkdir -p /etc/nftables.d /etc/systemd/system/nftables.service.d
  install -m 0755 "$home/nftables.conf" "$(nft_file)"
  # Stopping the service as it comes would take the tables of Docker, LXD and Kubernetes away, too.
  cp "$home/nftables-unit.conf" /etc/systemd/system/nftables.service.d/60-ingot-hardened.conf
  : >/etc/nftables.d/40-hardened.nft
  for port in $(selected_values open-ports); do
    printf 'add element inet filter open_%s { %s }\n' "${port#*/}" "${port%/*}" >>/etc/nftables.d/40-hardened.nft
  done
  apply_unit nftables.service enabled
}

# The ports of the SSH server, as its configuration says when the machine starts.
open_ssh() {
  ports=$(cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null | awk 'tolower($1) == "port" { print $2 }' | sort -u)
  for port in ${ports:-22}; do nft add element inet filter open_tcp "{ $port }" || return 1; done
}

check_firewall() {
  case "$(family)" in
    rhel | suse) check_active firewalld.service; return ;;
  esac
  check_active nftables.service
  nft list chain inet filter input >"$scratch/nft" 2>&1
  grep -q 'hook input priority filter; policy drop;' "$scratch/nft" || { echo 'the table inet filter does not drop what comes in'; return; }
  port=$(sshd -T 2>/dev/null | awk '$1 == "port" { print $2; exit }')
  nft get element inet filter open_tcp "{ ${port:-22} }" >/dev/null 2>&1 || echo "the port ${port:-22} of the SSH server is not open"
}

# --- logins ---------------------------------------------------------------------------------------------------------------------------------

banner_file=/etc/ingot-hardened/banner

apply_banner() {
  for file in /etc/issue /etc/issue.net; do rm -f "$file" && cp "$banner_file" "$file" && chmod 0644 "$file" || return 1; done
  # Debian's message of the day says the kernel's version.
  : >/etc/motd
  if [ -d /etc/update-motd.d ]; then chmod -x /etc/update-motd.d/* 2>/dev/null || true; fi
}

check_banner() {
  for file in /etc/issue /etc/issue.net; do cmp -s "$banner_file" "$file" || echo "$file is not the banner"; done
}

admin_group() { if getent group sudo >/dev/null; then echo sudo; else echo wheel; fi; }

apply_su_group() {
  file=/etc/pam.d/su
  [ -e "$file" ] || return 0
  grep -q '^auth.*pam_wheel.so use_uid' "$file" && return 0
  line="auth required pam_wheel.so use_uid group=$(admin_group)"
  # After root, who may always.
  awk -v line="$line" '{ print } /^auth.*pam_rootok.so/ && !done { print line; done = 1 } END { if (!done) exit 1 }' "$file" >"$file.ingot" || return 1
  cat "$file.ingot" >"$file" && rm -f "$file.ingot"
}

check_su_group() {
  [ -e /etc/pam.d/su ] || return 0
  grep -q '^auth[[:space:]]*required[[:space:]]*pam_wheel.so use_uid' /etc/pam.d/su || echo 'everybody may use su'
}

check_sudoers() { visudo -c -q -f /etc/sudoers || echo 'visudo finds a mistake'; }

pam_stack() { cat /etc/pam.d/common-"$1" /etc/pam.d/"$2"-auth 2>/dev/null | grep -v '^#'; }

check_pwquality() { pam_stack password system | grep -q 'pam_pwquality.so' || echo 'PAM does not ask pam_pwquality'; }

# pam-auth-update puts a profile into all services.
pam_profile() {
  mkdir -p /usr/share/pam-configs
  cat >"/usr/share/pam-configs/$1" && DEBIAN_FRONTEND=noninteractive pam-auth-update --package --enable "$1"
}

apply_faillock() {
  if [ "$(family)" = rhel ]; then authselect enable-feature with-faillock; return; fi
  # The first says at the start that an account waits, the second, right before the end, counts what failed.
  pam_profile ingot-faillock-notify <<'EOF' || return 1
Name: ingot: accounts wait after failed logins, and a right one starts anew
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
	requisite	pam_faillock.so preauth
Account-Type: Primary
Account:
	required	pam_faillock.so
EOF
  pam_profile ingot-faillock <<'EOF'
Name: ingot: failed logins are counted
Default: yes
Priority: 0
Auth-Type: Primary
Auth:
	[default=die]	pam_faillock.so authfail
EOF
}

check_faillock() {
  for part in preauth authfail; do pam_stack auth system | grep -q "pam_faillock.so $part" || echo "PAM does not ask pam_faillock $part"; done
}

apply_pwhistory() {
  if [ "$(family)" = rhel ]; then authselect enable-feature with-pwhistory; return; fi
  # After pwquality, whose answer it takes.
  pam_profile ingot-pwhistory <<'EOF'
Name: ingot: old passwords are not taken again
Default: yes
Priority: 1020
Password-Type: Primary
Password:
	requisite	pam_pwhistory.so remember=24 enforce_for_root use_authtok
Password-Initial:
	requisite	pam_pwhistory.so remember=24 enforce_for_root
EOF
}

check_pwhistory() {
  [ "$(family)" = rhel ] && return
  pam_stack password system | grep -q 'pam_pwhistory.so remember=24' || echo 'PAM does not ask pam_pwhistory'
}

# pam-auth-update keeps what was changed of a module's words.
apply_no_empty_passwords() {
  for file in /etc/pam.d/common-auth /etc/pam.d/system-auth /etc/pam.d/password-auth /etc/pam.d/base-auth; do
    if [ -f "$file" ]; then sed -i --follow-symlinks 's/^\([^#].*pam_unix\.so.*\)[[:space:]]nullok\(_secure\)\{0,1\}/\1/' "$file" || return 1; fi
  done
}

check_no_empty_passwords() {
  awk -F : '$2 == "" { print $1 " has an empty password" }' /etc/shadow
  if pam_stack auth system | grep -q 'pam_unix.so.*nullok'; then echo 'PAM takes empty passwords'; fi
}

check_only_root() {
  awk -F : '$3 == 0 && $1 != "root" { print $1 " is another root" }' /etc/passwd
  awk -F : '$1 == "root" && $2 !~ /^[!*]/ { print "root has a password" }' /etc/shadow
}

check_system_shells() {
  awk -F : '$3 < 1000 && $1 !~ /^(root|sync|shutdown|halt)$/ && $7 !~ /\/(nologin|false|sync)$/ { print $1 " has the shell " $7 }' /etc/passwd
}

check_homes() {
  awk -F : '$3 >= 1000 && $3 < 60000 && $7 !~ /\/(nologin|false)$/ { print $1, $6 }' /etc/passwd | while read -r user folder; do
    [ -d "$folder" ] || { echo "$user has no home"; continue; }
    [ "$(stat -L -c %U "$folder")" = "$user" ] || echo "$folder does not belong to $user"
    [ $((0$(stat -L -c %a "$folder") & 027)) -eq 0 ] || echo "$folder has mode $(stat -L -c %a "$folder"), more than 0750"
  done
}

# --- system ---------------------------------------------------------------------------------------------------------------------------------

apply_updates() {
  if [ "$(family)" = rhel ]; then put_conf /etc/dnf/automatic.conf = apply_updates yes && apply_unit dnf-automatic.timer enabled; return; fi
  cat >/etc/apt/apt.conf.d/55-ingot-hardened <<'EOF'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
EOF
  apply_unit apt-daily.timer enabled && apply_unit apt-daily-upgrade.timer enabled && apply_unit unattended-upgrades.service enabled
}

check_updates() {
  if [ "$(family)" = rhel ]; then check_active dnf-automatic.timer; return; fi
  for timer in apt-daily.timer apt-daily-upgrade.timer; do check_active $timer; done
  [ "$(apt-config shell value APT::Periodic::Unattended-Upgrade)" = "value='1'" ] || echo 'apt does not install updates by itself'
  grep -q '^package	installed	unattended-upgrades$' "$scratch/facts" || echo 'unattended-upgrades is not installed'
}

check_apparmor() {
  [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || echo 'the kernel does without AppArmor'
  # The kernel says that its file has no bytes.
  grep -q . /sys/kernel/security/apparmor/profiles || echo 'AppArmor has no profile'
}

check_time() {
  for unit in systemd-timesyncd.service chrony.service chronyd.service ntpsec.service; do systemctl --quiet is-active $unit && return; done
  echo 'no service keeps the time'
}

check_journal() { [ -d /var/log/journal ] || echo 'the log is not kept in /var/log/journal'; }

check_audit() {
  auditctl -s 2>/dev/null | grep -qE '^enabled [12]$' || echo 'the kernel does not audit'
  auditctl -s 2>/dev/null | grep -qE '^pid [1-9]' || echo 'no service takes what the kernel audits'
}

check_audit_boot() { grep -qw audit=1 /proc/cmdline || echo 'the kernel was started without audit=1'; }

apply_audit_immutable() { put_line /etc/audit/rules.d/99-ingot-hardened.rules '-e 2'; }

check_audit_immutable() { auditctl -s | grep -qx 'enabled 2' || echo "the audit's rules can be changed"; }

apply_aide() {
  cp "$home"/ingot-aide-init.* /etc/systemd/system/
  apply_unit ingot-aide-init.timer enabled && apply_unit dailyaidecheck.timer enabled
}

# The database takes minutes to make, and is not there at once.
check_aide() {
  check_active dailyaidecheck.timer
  [ -s /var/lib/aide/aide.db ] && return
  systemctl --quiet is-active ingot-aide-init.timer || echo 'AIDE has no database, and none is going to be made'
}

# The root's file system alone: what is mounted below it is not the image's.
check_world_writable() {
  find / -xdev -type f -perm -0002 ! -path '/proc/*' 2>/dev/null | head -n 5 | sed 's/$/ can be written by everybody/'
  find / -xdev -type d -perm -0002 ! -perm -1000 2>/dev/null | head -n 5 | sed 's/$/ is shared and not sticky/'
}

check_unowned() { find / -xdev \( -nouser -o -nogroup \) ! -path '/var/lib/containers/*' 2>/dev/null | head -n 5 | sed 's/$/ has no owner/'; }

# --- trials, which need a running machine and leave nothing behind -----------------------------------------------------------------------------

# A password that is right, on an account that is there for the moment, is not asked for.
try_password() {
  user=ingot-trial
  useradd --create-home --shell /bin/sh $user && trap 'userdel --remove ingot-trial >/dev/null 2>&1; rm -f /run/ingot-trial' EXIT || return 1
  # No character thrice in a row, and no sequence, which password-quality refuses.
  password=Aa$(head -c 12 /dev/urandom | od -An -tx1 | tr ' ' - | tr -d '\n')
  echo "$user:$password" | chpasswd || return 1
  (umask 077; printf '#!/bin/sh\necho %s\n' "$password" >/run/ingot-trial; chmod 700 /run/ingot-trial)
  port=$(sshd -T 2>/dev/null | awk '$1 == "port" { print $2; exit }')
  said=$(SSH_ASKPASS=/run/ingot-trial SSH_ASKPASS_REQUIRE=force timeout 120 ssh -p "${port:-22}" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o PubkeyAuthentication=no $user@127.0.0.1 echo let-in </dev/null 2>&1)
  case "$said" in
    *let-in*) echo 'the password was taken' && return 1 ;;
    *'Permission denied (publickey)'*) echo refused ;;
    *) echo "$said" && return 1 ;;
  esac
}

# From a network namespace, as from another machine: the port of ssh answers, one that is not open does not, though somebody listens.
try_firewall() {
  port=$(sshd -T 2>/dev/null | awk '$1 == "port" { print $2; exit }')
  ip netns add ingot-trial && trap 'kill $listener 2>/dev/null; ip link delete ingot-trial 2>/dev/null; ip netns delete ingot-trial' EXIT || return 1
  ip link add ingot-trial type veth peer name inside netns ingot-trial || return 1
  ip address add 198.51.100.1/30 dev ingot-trial && ip link set ingot-trial up || return 1
  ip -n ingot-trial address add 198.51.100.2/30 dev inside && ip -n ingot-trial link set inside up || return 1
  python3 -c 'import socket, time
server = socket.create_server(("198.51.100.1", 8099)); time.sleep(280)' &
  listener=$!
  connect='import socket, sys
try: socket.create_connection(("198.51.100.1", int(sys.argv[1])), 15); print("open")
except TimeoutError: print("silent")
except OSError as error: print(error)'
  sleep 5
  open=$(ip netns exec ingot-trial python3 -c "$connect" "${port:-22}")
  closed=$(ip netns exec ingot-trial python3 -c "$connect" 8099)
  nft add element inet filter open_tcp '{ 8099 }'
  opened=$(ip netns exec ingot-trial python3 -c "$connect" 8099)
  nft delete element inet filter open_tcp '{ 8099 }'
  [ "$open $closed $opened" = 'open silent open' ] || { echo "ssh is $open, another port $closed, and $opened when it is opened" && return 1; }
  echo 'dropped, and let in where it is open'
}
