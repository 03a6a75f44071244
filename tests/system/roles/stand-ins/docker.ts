import type { StandInPackage } from '../../../support/stand-in.ts';

/*
 * Docker's own packages, as far as their names, units and paths go (docker/docker-ce-packaging). The daemon reads its configuration and says that it
 * is ready; the command line keeps images as folders and runs what they hold by chroot, which is enough to see that the role's files are in effect.
 */

const DOCKERD = `#!/usr/bin/python3
import json, os, signal, socket, sys
arguments = sys.argv[1:]
if '--version' in arguments:
    sys.exit(print('Docker version 29.7.2, build stand-in'))
if '--help' in arguments:
    sys.exit(print('      --validate   Validate daemon configuration and exit'))
path = arguments[arguments.index('--config-file') + 1] if '--config-file' in arguments else '/etc/docker/daemon.json'
settings = json.load(open(path))
for name in settings:
    if name not in ['log-driver', 'log-opts', 'live-restore', 'registry-mirrors', 'insecure-registries', 'default-address-pools', 'data-root', 'metrics-addr', 'runtimes']:
        sys.exit('unable to configure the Docker daemon: the following directives do not match any flags: ' + name)
for value in settings.get('log-opts', {}).values():
    if not isinstance(value, str):
        sys.exit('json: cannot unmarshal number into Go value of type string')
if '--validate' in arguments:
    sys.exit(print('configuration OK'))
os.makedirs(settings.get('data-root', '/var/lib/docker'), exist_ok=True)
open(settings.get('data-root', '/var/lib/docker') + '/engine-id', 'w').write('stand-in')
if 'NOTIFY_SOCKET' in os.environ:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace('@', '\\0', 1))
signal.pause()
`;

const DOCKER = `#!/usr/bin/python3
import json, os, subprocess, sys, tarfile
settings = json.load(open('/etc/docker/daemon.json'))
state = settings.get('data-root', '/var/lib/docker') + '/stand-in'
verb, rest = sys.argv[1], sys.argv[2:]
if verb == 'compose':
    os.execv('/usr/libexec/docker/cli-plugins/docker-compose', ['docker-compose', *rest])
elif verb == 'info':
    print('Server:\\n Server Version: 29.7.2\\n Logging Driver:', settings['log-driver'], '\\n Runtimes: runc', *settings.get('runtimes', {}))
elif verb == 'load':
    with tarfile.open(rest[rest.index('-i') + 1]) as image:
        [item] = json.load(image.extractfile('manifest.json'))
        folder = state + '/' + item['RepoTags'][0]
        os.makedirs(folder, exist_ok=True)
        json.dump(json.load(image.extractfile(item['Config'])), open(folder + '.json', 'w'))
        for layer in item['Layers']:
            tarfile.open(fileobj=image.extractfile(layer)).extractall(folder)
        print('Loaded image:', item['RepoTags'][0])
elif verb == 'run':
    image = rest[-1]
    name = rest[rest.index('--name') + 1] if '--name' in rest else 'one'
    json.dump([{'HostConfig': {'LogConfig': {'Type': settings['log-driver'], 'Config': settings.get('log-opts', {})}}}], open(state + '/' + name + '.inspect', 'w'), indent=4)
    command = json.load(open(state + '/' + image + '.json'))['config']['Cmd']
    sys.exit(subprocess.run(['chroot', state + '/' + image, *command]).returncode)
elif verb == 'inspect':
    print(open(state + '/' + rest[0] + '.inspect').read())
else:
    sys.exit('the stand-in of docker knows no ' + verb)
`;

const SERVICE = `[Unit]
Description=Docker Application Container Engine
After=network-online.target docker.socket containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
Type=notify
ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
Restart=always
RestartSec=2
Delegate=yes
KillMode=process

[Install]
WantedBy=multi-user.target
`;

const SOCKET = `[Unit]
Description=Docker Socket for the API

[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
SocketUser=root
SocketGroup=docker

[Install]
WantedBy=sockets.target
`;

const CONTAINERD_SERVICE = `[Unit]
Description=containerd container runtime
After=network.target

[Service]
ExecStart=/usr/bin/containerd
Restart=always
Delegate=yes

[Install]
WantedBy=multi-user.target
`;

const CONTAINERD = `#!/bin/sh
case "$*" in
  'config dump') exec cat /etc/containerd/config.toml ;;
  --version) echo 'containerd containerd.io v2.3.4 stand-in' ;;
  *) exec sleep infinity ;;
esac
`;

const enable = (...units: readonly string[]): string => `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  ${units.map((unit) => `deb-systemd-helper enable ${unit} >/dev/null || true`).join('\n  ')}
fi
`;
const program = (content: string): { content: string; mode: string } => ({ content, mode: '0755' });

const conflicts = ['docker.io', 'docker', 'docker-engine'];

/** What https://download.docker.com offers to Debian. */
export const DOCKER_PACKAGES: readonly StandInPackage[] = [
  {
    name: 'docker-ce',
    version: '5:29.7.2-1~debian',
    depends: ['docker-ce-cli', 'containerd.io (>= 1.7.27)', 'iptables'],
    conflicts,
    files: {
      '/usr/bin/dockerd': program(DOCKERD),
      '/usr/lib/systemd/system/docker.service': SERVICE,
      '/usr/lib/systemd/system/docker.socket': SOCKET,
    },
    postinst: enable('docker.service', 'docker.socket').replace('set -e\n', 'set -e\ngetent group docker >/dev/null || groupadd --system docker\n'),
  },
  { name: 'docker-ce-cli', version: '5:29.7.2-1~debian', files: { '/usr/bin/docker': program(DOCKER) }, conflicts: ['docker-cli'] },
  {
    name: 'containerd.io',
    version: '2.3.4-1~debian',
    conflicts: ['containerd', 'runc'],
    provides: ['containerd', 'runc'],
    files: {
      '/usr/bin/containerd': program(CONTAINERD),
      '/etc/containerd/config.toml': 'disabled_plugins = ["cri"]\n',
      '/usr/lib/systemd/system/containerd.service': CONTAINERD_SERVICE,
    },
    postinst: enable('containerd.service'),
  },
  {
    name: 'docker-buildx-plugin',
    version: '0.30.0-1~debian',
    files: { '/usr/libexec/docker/cli-plugins/docker-buildx': program('#!/bin/sh\necho v0.30.0\n') },
  },
  {
    name: 'docker-compose-plugin',
    version: '5.0.0-1~debian',
    files: { '/usr/libexec/docker/cli-plugins/docker-compose': program("#!/bin/sh\necho 'Docker Compose version v5.0.0'\n") },
  },
  {
    name: 'docker-ce-rootless-extras',
    version: '5:29.7.2-1~debian',
    conflicts: ['rootlesskit'],
    files: { '/usr/bin/dockerd-rootless.sh': program('#!/bin/sh\nexec dockerd "$@"\n') },
  },
];
