import { Events } from '../../src/base/events.ts';
import { homeAt } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { hostPath, parseName } from '../../src/base/types.ts';
import { holdStill } from '../../src/platforms/local/still.ts';
import { loadVm } from '../../src/platforms/local/vms.ts';

/* A process that freezes a guest's filesystems, says so, and never gets on: it is to be killed. Called as: HOME VM. */
const [, , root = '', name = ''] = process.argv;
const host = realHost();
const home = homeAt(hostPath(root));
const context = { host, home, settings: builtInSettings(home), events: new Events('test', () => undefined, host), signal: new AbortController().signal };
await using _still = await holdStill(context, await loadVm(host, home, parseName(name, 'a VM')), { flush: 'must' });
process.stdout.write('still\n');
await host.clock.sleep(600);
