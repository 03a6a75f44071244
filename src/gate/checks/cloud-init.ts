import type { GateCheck } from '../check.ts';

export const cloudInit: GateCheck = {
  name: 'cloud-init',
  holds: 'cloud-init ran to its end from the seed, without an error.',
  where: 'guest',
  script: `
# While it waits it prints dots, which Debian 13's puts before the status in the same line.
status=$(cloud-init status --wait --long 2>/dev/null | sed 's/^\\.*//')
echo "$status" | grep -q '^status: done' || echo "$status" | grep -E '^(status|detail):' | tr '\\n' ' '
# The Python that cloud-init itself runs by: not all have one called python3.
$(sed -n '1s/^#! *//p' "$(command -v cloud-init)") - <<'END'
import json
with open('/run/cloud-init/result.json') as file:
    result = json.load(file)['v1']
for error in result['errors']:
    print('cloud-init: ' + str(error))
if 'NoCloud' not in str(result['datasource']):
    print('the seed was not used, but ' + str(result['datasource']))
END
`,
};
