/* Examples for the reference of templates, one for each section; a test checks every one of them. Each is a part of a template. */
export const TEMPLATE_EXAMPLES: Readonly<Record<string, string>> = {
  Template: `name: web
version: '1.4'
from: debian-12
arch: amd64
labels: { team: shop }
roles: [docker]
packages: [nginx, 'curl=7.88.1-10+deb12u12']
`,
  from: `from: debian-12              # a release of the catalog, else an image of the store
---
from: { image: 'web:1.4' }
---
from: { file: disks/appliance.qcow2 }
---
from:
  url: https://example.org/appliance.qcow2
  sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
`,
  variables: `variables:
  port: 80                                         # a default alone: its type follows
  mode: { default: fast, values: [fast, safe] }
  tier: { type: string, pattern: '[a-z]+' }        # no default: a build has to set it
  extra: [curl, jq]
packages: [nginx, '{{ extra }}']                   # a list that stands alone in a list is joined to it
labels: { tier: '{{ tier }}' }
steps:
  - run: echo "listen {{ port }}" > /etc/site.conf
`,
  disk: `disk:
  size: 16GiB
  filesystem: xfs
  swap: 2GiB
  partitions:
    - { mount: /var/lib/postgresql, size: 8GiB, filesystem: ext4 }
`,
  roles: `roles:
  - docker
`,
  users: `users:
  - name: admin
    sudo: true
    groups: [adm]
    ssh-keys:
      - { file: keys/admin.pub }
      - { url: 'https://github.com/octocat.keys' }
  - name: backup
    system: true
    sudo: 'ALL=(root) NOPASSWD: /usr/bin/rsync'
  - name: console
    password-hash: { secret: console-password }
`,
  system: `system:
  hostname: platform
  timezone: Europe/Zurich
  locale: de_CH.UTF-8
  keymap: ch
  sshd: { permit-root-login: 'no', allow-users: [admin] }
  kernel-arguments: [mitigations=off]
  sysctl: { net.ipv4.ip_forward: 1 }
  ntp: [ntp.example.org]
  automatic-updates: security
  trusted-ca: [{ file: company-ca.pem }]
  proxy: { https: 'http://proxy.example.org:3128', no-proxy: [localhost, .example.org] }
  repositories:
    - name: example
      uri: https://apt.example.org/debian
      suites: [stable]
      key: { url: 'https://apt.example.org/key.asc' }
`,
  network: `network:
  ethernets:
    wan: { match: { name: 'en*' }, dhcp4: true }
  vlans:
    lan: { id: 20, link: wan, addresses: [192.0.2.10/24] }
`,
  'steps.run': `steps:
  - name: the application's database
    run: |
      install -d -o postgres /srv/data
      sed -i "s|^data_directory.*|data_directory = '$DATA'|" /etc/postgresql/15/main/postgresql.conf
    env: { DATA: /srv/data }
  - run: |
      curl -fsS -H "Authorization: Bearer $TOKEN" https://example.org/app.tar.gz | tar -xz -C /opt
    shell: bash
    network: true
    max-age: 1d
    secrets: { TOKEN: release-token }
`,
  'steps.script': `steps:
  - script: scripts/harden.py
    arguments: [--level, '2']
    timeout: 5m
`,
  'steps.copy': `steps:
  - { copy: site, to: /var/www/site, owner: 'www-data:www-data' }
  - { copy: bin/deploy, to: /usr/local/bin/, mode: '0755' }
`,
  'steps.file': `steps:
  - file: /etc/motd
    content: |
      Made by ingot. What changes here is gone with the next image.
`,
  'steps.service': `steps:
  - service: nginx
  - { service: apache2, state: masked }
`,
  'steps.ansible': `steps:
  - ansible: playbooks/site.yaml
    variables: { http_port: 80 }
    network: true
`,
  'tests.command': `tests:
  - command: nginx -t
  - { command: curl -fsS http://localhost/, contains: Welcome }
`,
  'tests.port': `tests:
  - port: 443
  - { port: 53, protocol: udp }
`,
  'tests.service': `tests:
  - { service: nginx, state: running }
`,
  'tests.file': `tests:
  - { file: /etc/shadow, mode: '0640', owner: 'root:shadow' }
  - { file: /etc/nginx/sites-enabled/default, exists: false }
`,
  outputs: `outputs:
  - { format: qcow2, path: out/web.qcow2 }
`,
};
