import type { RoleCase } from './case.ts';
import { DOCKER_PACKAGES } from './stand-ins/docker.ts';

/** A volume outlives its container and a restart of the daemon. The image is the one that a test of the role loaded. */
const DATA_SURVIVES = `
set -e
docker run --rm -v kept:/kept ingot-test:1 /bin/sh -c 'echo kept >/kept/file'
systemctl restart docker
docker run --rm -v kept:/kept ingot-test:1 /bin/sh -c 'read -r line </kept/file; echo "the data is $line"'
`;

/** The daemon of a user runs a container as that user, whatever it is inside. */
const ROOTLESS = `
set -e
socket=/run/user/$(id -u worker)/docker.sock
for attempt in $(seq 80); do if [ -S "$socket" ]; then break; fi; sleep 3; done
mkdir /tmp/root
cp --parents -L /bin/sh $(ldd /bin/sh | grep -o '/[^ :]*' | sort -u) /tmp/root
tar -C /tmp/root -c . | setpriv --reuid worker --regid worker --init-groups docker -H "unix://$socket" import - one >/dev/null
setpriv --reuid worker --regid worker --init-groups env HOME=/home/worker docker -H "unix://$socket" run --rm one \\
  /bin/sh -c 'read -r inside outside count </proc/self/uid_map; echo "$inside is $outside outside"' | sed "s/ $(id -u worker) / worker /"
`;

export const cases: readonly RoleCase[] = [
  {
    role: 'docker',
    parameters: { users: ['debian', 'worker'], 'log-max-size': '20m', 'address-pool': '172.28.0.0/14' },
    template: {
      users: [{ name: 'worker' }],
      tests: [
        { name: 'data survives the daemon', command: DATA_SURVIVES, contains: 'the data is kept' },
        { name: 'networks are cut from the pool', command: 'docker network inspect bridge', contains: '172.28.0.0/24' },
        { name: 'users are in the group docker', command: 'getent group docker', contains: ':debian,worker' },
        { name: 'users that were made later are, too', command: 'id worker', contains: '(docker)' },
      ],
    },
  },
  {
    role: 'docker',
    variant: 'rootless',
    parameters: { rootless: true, users: ['worker'] },
    template: { users: [{ name: 'worker' }], tests: [{ name: 'a user runs a container without root', command: ROOTLESS, contains: '0 is worker outside' }] },
  },
  {
    role: 'docker',
    variant: 'upstream',
    parameters: { source: 'upstream', mirrors: ['https://mirror.example'] },
    standIn: { repositories: [{ name: 'docker', packages: DOCKER_PACKAGES }] },
  },
];
