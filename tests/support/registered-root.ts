import { interruption } from '../../src/cli/interruption.ts';
import { toIngotError } from '../../src/base/errors.ts';
import { hostPath } from '../../src/base/types.ts';
import { whileRegistered } from '../../src/build/apply/registration.ts';
import { registration } from '../../src/families/rhel/registration.ts';
import { TestHome } from '../system/support.ts';
import { hostUserland, openFamilyRoot } from './family-root.ts';
import { ORGANIZATION, SECRET, vendorPrograms } from './stand-in-vendor.ts';

/*
 * A program that registers a root in memory at a stand-in, and then installs a package that never ends: to be stopped or killed. Its arguments are a home and the
 * address of the stand-in; its exit code is that of the error.
 */

const [root = '', url = ''] = process.argv.slice(2);
using stop = interruption((text) => void process.stderr.write(`${text}\n`));
const context = { ...(await TestHome.kept(hostPath(root)).context()), signal: stop.signal };
try {
  await using inside = await openFamilyRoot(context, hostUserland);
  await inside.root.writeFiles(vendorPrograms({ url }));
  const registering = {
    context,
    place: { kind: 'host' as const },
    secrets: { value: () => Promise.resolve(SECRET) },
    mask: () => undefined,
    refuse: () => undefined,
  };
  const rhel = registration({ vendor: 'rhel', organization: ORGANIZATION, secret: 'vendor-key', repositories: [] });
  await whileRegistered(registering, inside.root, rhel, async () => void (await inside.root.run(['dnf', 'install', 'slow'], { network: true })));
} catch (error) {
  process.exitCode = toIngotError(error).exitCode;
}
