import { realHost } from '../../src/base/host.ts';
import { hostPath } from '../../src/base/types.ts';
import { guestFiles } from '../../src/platforms/local/guest-spec.ts';
import { launch } from '../../src/platforms/local/launch.ts';

/* A process that starts a pretended QEMU, says its process id, and lives until it is killed. Called as: FOLDER LIFETIME FAKE-QEMU. */
const [, , folder = '', lifetime, fakeQemu = ''] = process.argv;
const files = guestFiles(hostPath(folder));
const { pid } = await launch(
  realHost(),
  files,
  [process.execPath, fakeQemu, files.qmp, 'good', '-pidfile', files.pid],
  lifetime === 'process' ? 'process' : 'detached',
);
process.stdout.write(`${pid}\n`);
setInterval(() => undefined, 1000);
