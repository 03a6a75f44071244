import { readFileSync } from 'node:fs';
import type { RoleCase } from './case.ts';

/** For registry.example.org and localhost; made for this test, good for a hundred years. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBwTCCAWegAwIBAgIUFySMr/zRCGJhYuo/Ku7WN0Kc75kwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUcmVnaXN0cnkuZXhhbXBsZS5vcmcwIBcNMjYxMTIxMTIwOTA2
WhgPMjEyNjEwMjgxMjA5MDZaMB8xHTAbBgNVBAMMFHJlZ2lzdHJ5LmV4YW1wbGUu
b3JnMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcKg5X8MOvcuBPgcsY+vt07lw
3qo6GUjBR7IvaVw2AiOLIimFesoe1X1voTeK/qiS+zFv4zT4nPDMaRAPHj1nh6N/
MH0wHQYDVR0OBBYEFBXnLPDAxZbLF0f8A5mWo0FbRG4DMB8GA1UdIwQYMBaAFBXn
LPDAxZbLF0f8A5mWo0FbRG4DMA8GA1UdEwEB/wQFMAMBAf8wKgYDVR0RBCMwIYIU
cmVnaXN0cnkuZXhhbXBsZS5vcmeCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNIADBF
AiEAzN5VgDy26vH7iNOKv/DmBjp/AnpMgp7w85ote41EHVACIAlcANtd+AYe1YGb
IPmNPwl+s2FdP4+x1um+aObKSUzM
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaO5gUOD3o3vGw3+w
50EGWRYajnMOw8i5TLTDezsPyPmhRANCAARwqDlfww69y4E+Byxj6+3TuXDeqjoZ
SMFHsi9pXDYCI4siKYV6yh7VfW+hN4r+qJL7MW/jNPic8MxpEA8ePWeH
-----END PRIVATE KEY-----`;
const USER = 'tester:$2y$05$Sy4yJRxoMGnca3t3RKJ8hO4AZBJ9msBHWyvext74/e1bey5hNM3Ny';

/** The key comes to the machine; the registry has waited for it. */
const KEY_COMES = `
set -eu
! systemctl is-active docker-registry
umask 077
cat > /run/server.key <<'KEY'
${KEY}
KEY
cp /run/server.key /etc/docker/registry/tls/server.key
for try in $(seq 60); do curl -s -o /dev/null --cacert /etc/docker/registry/tls/server.crt https://localhost:443/v2/ && break; sleep 2; done
export CURL_CA_BUNDLE=/etc/docker/registry/tls/server.crt
test "$(curl -s -o /dev/null -w '%{http_code}' https://localhost:443/v2/)" = 401
printf test | /usr/local/lib/registry/check 443 tester
stat -c '%a %U:%G' /etc/docker/registry/tls/server.key
`;

const UNTAGGED = `
set -eu
export CURL_CA_BUNDLE=/etc/docker/registry/tls/server.crt
hex=$(printf test | /usr/local/lib/registry/check 443 tester | cut -d: -f2)
ls /srv/images/docker/registry/v2/blobs/sha256/*/$hex/data
systemctl start registry-gc.service
! ls /srv/images/docker/registry/v2/blobs/sha256/*/$hex/data
`;

const S3_UNIT = `[Unit]
Before=docker-registry.service
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/small-s3.py 9000
DynamicUser=yes
[Install]
WantedBy=multi-user.target
`;

const S3_CHECKED = `
set -eu
for try in $(seq 60); do curl -sf -o /dev/null http://127.0.0.1:9000/?list-type=2 && break; sleep 1; done
/usr/local/lib/registry/check 5000
export CURL_CA_BUNDLE=/etc/docker/registry/tls/ca.crt
test "$(curl -s -o /dev/null -w '%{http_code}' https://localhost/)" = 401
printf 'machine localhost login registry password %s\\n' "$(cat /etc/docker/registry/first-password)" > /run/netrc
curl -fsS --netrc-file /run/netrc https://localhost/ | grep -q web.js
curl -fsS --netrc-file /run/netrc https://localhost/v2/_catalog | grep -q check/hello
curl -s 'http://127.0.0.1:9000/images?list-type=2&prefix=here/' | grep -o 'here/docker/registry/v2/blobs/[^<]*' | head -n 1
`;

/** A second registry is the one that the first copies from. */
const UPSTREAM = `version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/upstream } }
http: { addr: '127.0.0.1:5001' }
`;

const UPSTREAM_UNIT = `[Unit]
Before=docker-registry.service
[Service]
ExecStart=/usr/bin/docker-registry serve /etc/upstream.yml
DynamicUser=yes
StateDirectory=upstream
[Install]
WantedBy=multi-user.target
`;

const PULLED_THROUGH = `
set -eu
up=http://127.0.0.1:5001
for try in $(seq 60); do curl -s -o /dev/null $up/v2/ && break; sleep 1; done
cd /tmp
head -c 100000 /dev/urandom > layer
digest=sha256:$(sha256sum < layer | cut -d' ' -f1)
at=$(curl -fsS -X POST -D - -o /dev/null $up/v2/some/thing/blobs/uploads/ | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
curl -fsS -X PUT -H 'Content-Type: application/octet-stream' --data-binary @layer "$at&digest=$digest"
type=application/vnd.docker.distribution.manifest.v2+json
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/octet-stream","size":100000,"digest":"%s"},"layers":[]}' $type $digest > manifest
curl -fsS -X PUT -H "Content-Type: $type" --data-binary @manifest $up/v2/some/thing/manifests/1
ask() { curl -fsS --cacert /etc/docker/registry/tls/ca.crt "$@"; }
for try in $(seq 60); do ask -o /dev/null https://localhost:5000/v2/ 2>/dev/null && break; sleep 1; done
ask -H "Accept: $type" https://localhost:5000/v2/some/thing/manifests/1 | cmp - manifest
ask https://localhost:5000/v2/some/thing/blobs/$digest | cmp - layer
sleep 2
find /var/lib/docker-registry -path "*\${digest#sha256:}*" -name data | head -n 1
! ask -X POST https://localhost:5000/v2/some/thing/blobs/uploads/
`;

export const cases: readonly RoleCase[] = [
  { role: 'registry' },
  {
    role: 'registry',
    variant: 'certificate given',
    parameters: { certificate: CERTIFICATE, users: [USER], port: 443, folder: '/srv/images', 'gc-untagged': true, gc: 'daily' },
    template: {
      tests: [
        { name: 'it waits for the key, and runs when it is there', command: KEY_COMES, contains: '640 root:docker-registry' },
        { name: 'what has no tag is collected', command: UNTAGGED },
      ],
    },
  },
  {
    role: 'registry',
    variant: 's3 and a web page',
    parameters: {
      storage: 's3',
      's3-bucket': 'images',
      's3-endpoint': 'http://127.0.0.1:9000',
      's3-folder': '/here',
      web: true,
      hostnames: ['images.example.org'],
    },
    template: {
      steps: [
        { file: '/usr/local/lib/small-s3.py', content: readFileSync(new URL('small-s3.py', import.meta.url), 'utf8') },
        { file: '/etc/systemd/system/small-s3.service', content: S3_UNIT },
        { service: 'small-s3' },
        { file: '/etc/docker/registry/environment', content: 'REGISTRY_STORAGE_S3_ACCESSKEY=a\nREGISTRY_STORAGE_S3_SECRETKEY=b\n', mode: '0600' },
      ],
      tests: [{ name: 'images are in the bucket', command: S3_CHECKED, contains: 'here/docker/registry/v2/blobs' }],
    },
  },
  {
    role: 'registry',
    variant: 'pull-through',
    parameters: { proxy: 'http://127.0.0.1:5001', auth: 'none', gc: '' },
    template: {
      steps: [
        { file: '/etc/upstream.yml', content: UPSTREAM },
        { file: '/etc/systemd/system/upstream.service', content: UPSTREAM_UNIT },
        { service: 'upstream' },
      ],
      tests: [{ name: 'what is pulled through is kept, and nothing can be pushed', command: PULLED_THROUGH, contains: '/data' }],
    },
  },
];
