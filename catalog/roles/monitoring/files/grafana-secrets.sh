#!/bin/sh
# The password of Grafana's user admin and the key of what it encrypts, random, for root alone. systemd hands them to Grafana.
set -eu
umask 077
random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
new=$(mktemp /etc/grafana/secrets.XXXXXX)
printf 'GF_SECURITY_ADMIN_PASSWORD=%s\nGF_SECURITY_SECRET_KEY=%s\n' "$(random)" "$(random)" > "$new"
mv "$new" /etc/grafana/secrets
