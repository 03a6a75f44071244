#!/bin/sh
# Pushes an image to the registry of this machine, pulls it, compares, and deletes it where that is allowed; prints its layer's digest.
# check PORT [USER], with the password on standard input; without a user, as the first one.
set -eu
umask 077

etc=/etc/docker/registry
host=https://localhost:$1
type=application/vnd.docker.distribution.manifest.v2+json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

if [ $# -gt 1 ]; then
  printf 'machine localhost login %s password %s\n' "$2" "$(cat)" > netrc
elif [ -e "$etc/first-password" ]; then
  printf 'machine localhost login %s password %s\n' "$(cat $etc/first-user)" "$(cat $etc/first-password)" > netrc
else
  : > netrc
fi
[ ! -e "$etc/tls/ca.crt" ] || export CURL_CA_BUNDLE="$etc/tls/ca.crt"

ask() { curl -fsS --netrc-file netrc "$@"; }

digest() { echo "sha256:$(sha256sum < "$1" | cut -d' ' -f1)"; }

push() {
  at=$(ask -X POST -D - -o /dev/null "$host/v2/check/hello/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  case $at in /*) at=$host$at ;; esac
  ask -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$at&digest=$(digest "$1")"
}

head -c 300000 /dev/urandom > layer
echo '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}' > config
push layer
push config
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%s,"digest":"%s"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","size":%s,"digest":"%s"}]}' \
  "$type" "$(stat -c %s config)" "$(digest config)" "$(stat -c %s layer)" "$(digest layer)" > manifest
ask -X PUT -H "Content-Type: $type" --data-binary @manifest "$host/v2/check/hello/manifests/1.0"

ask -H "Accept: $type" "$host/v2/check/hello/manifests/1.0" | cmp - manifest
ask -L "$host/v2/check/hello/blobs/$(digest layer)" | cmp - layer
ask "$host/v2/check/hello/tags/list" | grep -q '"1.0"'

curl -sS --netrc-file netrc -o /dev/null -X DELETE "$host/v2/check/hello/manifests/$(digest manifest)"
digest layer
