import type { RoleCase } from './case.ts';

/** A Prometheus that takes in what the agent sends, started for the test alone. */
const RECEIVED = `
set -eu
mkdir -p /tmp/receiver
: > /tmp/receiver.yml
prometheus --config.file=/tmp/receiver.yml --storage.tsdb.path=/tmp/receiver --web.enable-remote-write-receiver --web.listen-address=127.0.0.1:9099 > /tmp/receiver.log 2>&1 &
for try in $(seq 80); do
  curl -sG --data-urlencode "query=up{instance=\\"$(hostname)\\"} == 1" http://127.0.0.1:9099/api/v1/query | grep -q '"instance"' && break
  sleep 3
done
curl -sG --data-urlencode "query=up{instance=\\"$(hostname)\\"} == 1" http://127.0.0.1:9099/api/v1/query
`;

export const cases: readonly RoleCase[] = [
  { role: 'observer' },
  {
    role: 'observer',
    variant: 'agent and all of ebpf',
    parameters: { ebpf: ['bpftrace', 'bcc', 'libbpf-tools'], 'remote-write-url': 'http://127.0.0.1:9099/api/v1/write', 'sysstat-minutes': 5 },
    template: { tests: [{ name: 'the agent sends', command: RECEIVED, contains: '"job":"node"' }] },
  },
];
