/** A template to start with: what most images need is there, what some need stands in comments. */
export function starterTemplate({ name, from, schema }: { readonly name: string; readonly from: string; readonly schema: string | undefined }): string {
  return `${schema === undefined ? '' : `# yaml-language-server: $schema=${schema}\n`}# Build it: ingot build ${name}    Check it: ingot template validate ${name}
# Every key is described in docs/reference/template.md. Each role, the packages, the system's configuration and each step are a layer:
# what changes is built again from there on, what does not change never.

name: ${name}
description: A web server
from: ${JSON.stringify(from)}

# Values that differ from build to build: --var port=8080, or INGOT_VAR_PORT=8080.
variables:
  port: { type: number, default: 80 }

# disk:
#   size: 8GiB
#   swap: 1GiB

# roles: [docker]

packages:
  - curl
  - nginx

users:
  - name: admin
    sudo: true
    # ssh-keys:
    #   - ssh-ed25519 AAAA… me@example.org
    #   - { file: keys/admin.pub }
    #   - { url: 'https://github.com/octocat.keys' }

system:
  timezone: Etc/UTC
  # sysctl: { net.ipv4.ip_forward: 1 }
  # automatic-updates: security

steps:
  - file: /etc/nginx/conf.d/site.conf
    content: |
      server { listen {{ port }}; root /var/www/site; }
  - run: |
      mkdir -p /var/www/site
      echo "made by ingot" > /var/www/site/index.html
  # A folder beside this file:
  # - { copy: site, to: /var/www/site, owner: 'www-data:www-data' }
  # A step with a secret (ingot secret set token) and the network:
  # - run: |
  #     curl -fsS -H "Authorization: Bearer $TOKEN" https://example.org/config > /etc/app.conf
  #   network: true
  #   secrets: { TOKEN: token }
  - service: nginx

# What must hold in the booted image before its tag moves.
tests:
  - service: nginx
  - port: "{{ port }}"
  - command: curl -fsS http://localhost:{{ port }}/
    contains: made by ingot
`;
}
