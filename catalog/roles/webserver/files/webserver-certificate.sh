#!/bin/sh
# A self-signed certificate and its key, made once by each machine.
set -eu
umask 077
folder=/etc/ssl/webserver
name=$(hostname)
alternatives="DNS:$name,DNS:localhost"
for each in $(cat /etc/webserver/names); do
  if [ "$each" != _ ]; then alternatives="$alternatives,DNS:$each"; fi
done
mkdir -p "$folder"
chmod 0755 "$folder"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$name" \
  -addext "subjectAltName=$alternatives" -keyout "$folder/key.new" -out "$folder/certificate.pem" 2>/dev/null
chmod 0644 "$folder/certificate.pem"
# nginx and Apache read the key as root; Caddy is never root.
if getent group caddy >/dev/null; then
  chgrp caddy "$folder/key.new"
  chmod 0640 "$folder/key.new"
fi
mv "$folder/key.new" "$folder/key.pem"
