/** Files of a new role, by their path in its folder: a small role that works, with every kind of entry and a comment that says what it is for. */
export function roleScaffold(name: string): Readonly<Record<string, string>> {
  return { 'role.yaml': roleFile(name), 'README.md': readme(name), 'files/page.html': PAGE };
}

const PAGE = '<!doctype html>\n<title>Made by a role</title>\n<p>This file is put into the image as it is: nothing is filled in.</p>\n';

function readme(name: string): string {
  return `# ${name}

What an image with this role does, for whoever uses it.

    roles: [${name}]
    roles: [{ ${name}: { port: 8080, greeting: Good morning } }]

| Parameter | Default | Meaning |
|---|---|---|
| \`port\` | 80 | Where the server listens |
| \`greeting\` | Hello | What it says |
| \`admins\` | none | Who may see its state, such as 192.0.2.0/24 |
| \`status\` | false | Serve its state at /status |
`;
}

function roleFile(name: string): string {
  return `# A role: something that any template can bake into its image. Check it: ingot role validate ${name}
# It becomes one layer: packages, then files, then commands, without network, in a closed root where nothing runs; services start at boot.
role: ${name}
# Part of the layer's key: raise it with every change of what the role does.
version: '1'
summary: A web server that says hello

# What a template may set: roles: [{ ${name}: { port: 8080 } }]. Types: string, number, boolean, list. Without a default, it has to be set.
parameters:
  port: { type: number, default: 80, description: Where the server listens }
  greeting: { type: string, default: Hello, pattern: '[A-Za-z0-9 ,.!]+', description: What it says }
  admins: { type: list, default: [], pattern: '[0-9a-f.:/]+', description: 'Who may see its state, such as 192.0.2.0/24' }
  status: { type: boolean, default: false, description: Serve its state at /status }
  # mode: { type: string, default: plain, values: [plain, secure], description: One of these }

# Where it can be used: debian, rhel, suse, arch, alpine.
families: [debian]
# Releases that lack it, and why:
# except: { debian-11: Its nginx is too old }
# Roles that cannot be in the same image:
# conflicts: [webserver]
# Roles that have to be there too; of a list, one. Their layers come first:
# requires: [docker, [redis, database-postgresql]]

# All parts whose conditions hold are done, in order.
parts:
  - packages: [nginx, curl] # names of the package catalog (ingot catalog packages), else the family's own
    files:
      - path: /etc/nginx/conf.d/${name}.conf
        content: |
          server {
            listen {{ port }} default_server;
            root /srv/${name};
            include /etc/nginx/${name}.d/*.conf;
          }
      # json, or yaml: parts that write the same path are joined. A value that is only {{ name }} keeps its type, a list included.
      - path: /etc/${name}.json
        json: { greeting: '{{ greeting }}', port: '{{ port }}', admins: '{{ admins }}' }
      # A text file of this folder, put there as it is:
      - path: /srv/${name}/page.html
        from: files/page.html
        mode: '0644'
        owner: root:www-data
    services: { nginx: enabled } # enabled, disabled or masked
    ports: ['{{ port }}/tcp'] # opened where a firewall is on
    sysctl: { net.core.somaxconn: 1024 }
    # modules: [br_netfilter]         # kernel modules that are loaded at boot
    # kernel-arguments: [quiet]
    # repositories: [docker]          # of the catalog (ingot catalog repositories), or inline: { name, uri, suites, components, key, fingerprints }
    # downloads:                      # fetched and verified by ingot, then put into the image; unpack: tar unpacks into the folder
    #   - { url: 'https://example.org/tool-{{ version }}.tar.gz', sha256: …, to: /opt/tool, unpack: tar }
    run: # POSIX sh, as root, inside the closed image; the first command that fails ends it
      - name: the page that is served
        script: |
          rm -f /etc/nginx/sites-enabled/default
          echo '{{ greeting }}, made by ingot' > /srv/${name}/index.html
      # A secret is the standard input of a command, never in a file or a log:
      # - { name: the token, secret: '{{ token }}', script: 'cat > /etc/${name}.token' }

  # A part with conditions: all of when must hold, none of unless. Names: family, release, distribution, arch, or a parameter; a list is one of them.
  - when: { family: debian, status: true }
    files:
      - path: /etc/nginx/${name}.d/status.conf
        content: |
          location = /status { stub_status; allow 127.0.0.1; deny all; }
    tests:
      - { command: 'curl -fsS http://127.0.0.1:{{ port }}/status', contains: Active connections }

# What must hold in the booted image, at every build with this role. The words are those of a template's tests.
tests:
  - { service: nginx }
  - { port: '{{ port }}' }
  - { command: 'curl -fsS http://localhost:{{ port }}/', contains: '{{ greeting }}', name: it says hello }
  - { file: /etc/${name}.json, mode: '0644' }
`;
}
