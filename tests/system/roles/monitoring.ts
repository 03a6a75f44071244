import type { RoleCase } from './case.ts';

/** Writes down what a webhook gets, and sees that a critical alert comes to both routes. */
const ROUTES = `
set -eu
cat > /tmp/hook.py <<'PYTHON'
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        open('/tmp/hook' + self.path.replace('/', '-'), 'ab').write(body)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(('127.0.0.1', 8088), Hook).serve_forever()
PYTHON
python3 /tmp/hook.py > /dev/null 2>&1 &
amtool --alertmanager.url=http://localhost:9093 alert add alertname=Burning severity=critical instance=web1
amtool --alertmanager.url=http://localhost:9093 alert add alertname=Warm severity=warning instance=web1
for try in $(seq 60); do grep -q Burning /tmp/hook-all && grep -q Warm /tmp/hook-all && grep -q Burning /tmp/hook-critical && break; sleep 2; done 2>/dev/null
grep -q Burning /tmp/hook-all
grep -q Warm /tmp/hook-all
grep -q Burning /tmp/hook-critical
! grep -q Warm /tmp/hook-critical
! grep -q Watchdog /tmp/hook-all
`;

const TARGET = `
for try in $(seq 60); do curl -sG --data-urlencode 'query=up{job="web"} == 1' http://localhost:9090/api/v1/query | grep -q localhost && break; sleep 3; done
curl -sG --data-urlencode 'query=up{job="web"} == 1' http://localhost:9090/api/v1/query
`;

/** In Grafana's place: wants what Grafana would read, and answers with the password that the machine made. */
const GRAFANA = `#!/usr/bin/python3
import base64, glob, http.server, json, os, yaml
sources = [s for f in glob.glob('/etc/grafana/provisioning/datasources/*.yaml') for s in yaml.safe_load(open(f))['datasources']]
folders = [p['options']['path'] for f in glob.glob('/etc/grafana/provisioning/dashboards/*.yaml') for p in yaml.safe_load(open(f))['providers']]
boards = [json.load(open(f)) for folder in folders for f in sorted(glob.glob(folder + '/*.json'))]
password = os.environ['GF_SECURITY_ADMIN_PASSWORD']
assert len(password) >= 20 and len(os.environ['GF_SECURITY_SECRET_KEY']) >= 20 and sources and boards
class Grafana(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = 'Basic ' + base64.b64encode(('admin:' + password).encode()).decode()
        allowed = self.path == '/api/health' or self.headers.get('Authorization') == wanted
        body = {'/api/health': {'database': 'ok'}, '/api/datasources': sources, '/api/search': [b['title'] for b in boards]}.get(self.path)
        self.send_response(200 if allowed and body else 404 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps(body if allowed else 'no').encode())
http.server.HTTPServer(('', int(os.environ['GF_SERVER_HTTP_PORT'])), Grafana).serve_forever()
`;

const GRAFANA_UNIT = `[Unit]
Description=Grafana instance
[Service]
User=grafana
ExecStart=/usr/share/grafana/bin/grafana
[Install]
WantedBy=multi-user.target
`;

const CADVISOR = `#!/usr/bin/python3
import http.server, sys
flags = dict(flag.lstrip('-').split('=', 1) for flag in sys.argv[1:])
class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain; version=0.0.4')
        self.end_headers()
        self.wfile.write(b'cadvisor_version_info{cadvisorVersion="stand-in"} 1\\n')
http.server.HTTPServer((flags['listen_ip'], int(flags['port'])), Metrics).serve_forever()
`;

const GRAFANA_ASKED = `
set -eu
. /etc/grafana/secrets
test "$(curl -s -o /dev/null -w '%{http_code}' http://localhost:3000/api/datasources)" = 401
printf 'machine localhost login admin password %s\\n' "$GF_SECURITY_ADMIN_PASSWORD" > /run/netrc
curl -fsS --netrc-file /run/netrc http://localhost:3000/api/datasources | grep -q localhost:9090
curl -fsS --netrc-file /run/netrc http://localhost:3000/api/search
`;

export const cases: readonly RoleCase[] = [
  { role: 'monitoring' },
  {
    role: 'monitoring',
    variant: 'routes',
    parameters: {
      webhook: 'http://127.0.0.1:8088/all',
      'critical-webhook': 'http://127.0.0.1:8088/critical',
      email: 'ops@example.org',
      'smarthost-user': 'alertmanager',
      'group-wait': '1s',
      targets: ['web=localhost:9100'],
      listen: '127.0.0.1',
    },
    template: {
      tests: [
        { name: 'alerts go where their severity says', command: ROUTES },
        { name: 'a target has the job that it was given', command: TARGET, contains: '"job":"web"' },
      ],
    },
  },
  {
    role: 'monitoring',
    variant: 'grafana and cadvisor',
    parameters: { grafana: true, cadvisor: true },
    standIn: {
      repositories: [
        {
          name: 'grafana',
          packages: [
            {
              name: 'grafana',
              version: '13.2.0',
              depends: ['passwd', 'python3-yaml'],
              files: {
                '/usr/share/grafana/bin/grafana': { content: GRAFANA, mode: '0755' },
                '/usr/lib/systemd/system/grafana-server.service': GRAFANA_UNIT,
                '/etc/grafana/grafana.ini': '[server]\n',
              },
              postinst:
                '#!/bin/sh\nset -e\ngetent passwd grafana >/dev/null || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin grafana\n',
            },
          ],
        },
      ],
      files: { cadvisor: CADVISOR },
    },
    served: ({ url, sha256 }) => ({ parameters: { 'cadvisor-url': `${url}/cadvisor`, 'cadvisor-sha256': sha256['cadvisor'] ?? '' } }),
    template: {
      tests: [{ name: 'Grafana has the data source, the dashboards and the password', command: GRAFANA_ASKED, contains: 'Containers' }],
    },
  },
];
