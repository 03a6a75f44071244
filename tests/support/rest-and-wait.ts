import { Events } from '../../src/base/events.ts';
import { homeAt } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { hostPath, parseName } from '../../src/base/types.ts';
import { whileAtRest } from '../../src/platforms/local/rest.ts';
import { loadVm } from '../../src/platforms/local/vms.ts';

/* A process that freezes a guest's file systems, says so, and never gets on: it is to be killed. Called as: HOME VM. */
const [, , root = '', name = ''] = process.argv;
const host = realHost();
const home = homeAt(hostPath(root));
const context = { host, home, settings: builtInSettings(home), events: new Events('test', () => undefined, host), signal: new AbortController().signal };
await whileAtRest(context, await loadVm(host, home, parseName(name, 'a VM')), async () => {
  process.stdout.write('at rest\n');
  await host.clock.sleep(600);
});
