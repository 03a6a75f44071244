#!/bin/sh
# Makes what no image may hold: the registry's own CA, its certificate, and the first user with a random password.
# Runs before the registry starts, and every week. Makes what is missing, and the certificate again before it ends or when a name is new.
set -eu
umask 077

etc=/etc/docker/registry
tls=$etc/tls
group=docker-registry
first_user=$(cat "$etc/first-user" 2>/dev/null || echo registry)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

put() { # file, mode, group: moved to its place in one step
  chgrp "$3" "$1" && chmod "$2" "$1" && mv -f "$1" "$tls/${1##*/}"
}

make_user() {
  grep -q htpasswd "$etc/config.yml" || return 0
  [ -e "$etc/htpasswd" ] && [ ! -s "$etc/htpasswd" ] || return 0
  # 18 bytes make 24 characters without padding.
  head -c 18 /dev/urandom | base64 | tr '+/' '-_' > "$work/first-password"
  htpasswd -niB "$first_user" < "$work/first-password" > "$work/htpasswd"
  mv -f "$work/first-password" "$etc/first-password"
  chgrp "$group" "$work/htpasswd" && chmod 0640 "$work/htpasswd" && mv -f "$work/htpasswd" "$etc/htpasswd"
  echo "made the user $first_user; the password is in $etc/first-password"
}

names() { # that the machine has, and those that the role was given; one a line
  {
    printf '%s\n' localhost 127.0.0.1
    hostname
    hostname -f || true
    hostname -I | tr ' ' '\n'
    tr -d '{}[]," ' < "$etc/hostnames.json" | sed '/^names:/d'
  } 2>/dev/null | grep -E '^[A-Za-z0-9*][A-Za-z0-9.:*-]*$' | sort -u
}

alternative_names() {
  while read -r name; do
    case $name in
      *:*) echo "IP:$name" ;;
      *[!0-9.]*) echo "DNS:$name" ;;
      *) echo "IP:$name" ;;
    esac
  done | paste -sd,
}

new_key() { # file
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

make_ca() {
  [ ! -e "$tls/ca.key" ] || return 0
  printf '%s\n' '[req]' 'distinguished_name = dn' 'prompt = no' 'x509_extensions = ca' '[dn]' "CN = Registry CA $(hostname | cut -c1-40) $(openssl rand -hex 4)" \
    '[ca]' 'basicConstraints = critical,CA:TRUE,pathlen:0' 'keyUsage = critical,keyCertSign,cRLSign' 'subjectKeyIdentifier = hash' > "$work/ca.conf"
  new_key "$work/ca.key"
  openssl req -x509 -config "$work/ca.conf" -key "$work/ca.key" -days 3650 -sha256 -out "$work/ca.crt"
  put "$work/ca.crt" 0644 root
  put "$work/ca.key" 0600 root
}

make_certificate() {
  names > "$work/names"
  if [ -e "$tls/server.key" ] && cmp -s "$work/names" "$tls/names" && openssl x509 -in "$tls/server.crt" -noout -checkend 2592000 >/dev/null; then return 0; fi
  printf '%s\n' 'basicConstraints = critical,CA:FALSE' 'keyUsage = critical,digitalSignature' 'extendedKeyUsage = serverAuth' \
    "subjectAltName = $(alternative_names < "$work/names")" > "$work/server.conf"
  new_key "$work/server.key"
  openssl req -new -key "$work/server.key" -subj '/CN=registry' -out "$work/server.csr"
  openssl x509 -req -in "$work/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -set_serial "0x$(openssl rand -hex 16)" -days 397 -sha256 \
    -extfile "$work/server.conf" -out "$work/server.crt" 2>/dev/null
  put "$work/server.crt" 0644 root
  put "$work/server.key" 0640 "$group"
  put "$work/names" 0644 root
  echo "made a certificate for $(paste -sd' ' "$tls/names")"
  for unit in docker-registry nginx; do
    # Only where it already runs: at boot it is started after this.
    if systemctl is-active --quiet "$unit"; then systemctl --no-block restart "$unit"; fi
  done
}

check_given_certificate() {
  if [ ! -e "$tls/server.key" ]; then
    echo "the certificate $tls/server.crt was given; the registry waits for its key, $tls/server.key" >&2
    return 0
  fi
  chgrp "$group" "$tls/server.key" && chmod 0640 "$tls/server.key"
  openssl pkey -in "$tls/server.key" -pubout > "$work/of-key"
  openssl x509 -in "$tls/server.crt" -noout -pubkey > "$work/of-certificate"
  cmp -s "$work/of-key" "$work/of-certificate" && return 0
  echo "the key $tls/server.key is not that of the certificate $tls/server.crt" >&2
  return 1
}

make_user
install -d -m 0755 "$tls"
if [ -e "$tls/server.crt" ] && [ ! -e "$tls/ca.key" ]; then
  check_given_certificate
else
  make_ca
  make_certificate
fi
