import type { GateCheck } from '../check.ts';

export const cloudInit: GateCheck = {
  name: 'cloud-init',
  holds: 'cloud-init ran to its end from the seed, without an error.',
  where: 'guest',
  script: `
status=$(cloud-init status --wait --long 2>/dev/null)
echo "$status" | grep -q '^status: done' || echo "$status" | grep -E '^(status|detail):' | tr '\\n' ' '
python3 - <<'END'
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
