import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { realHost } from '../../../src/base/host.ts';
import { hostProcesses, type RunningProcess } from '../../../src/base/process.ts';
import { findProgram } from '../../../src/base/programs.ts';
import { hostPath } from '../../../src/base/types.ts';
import { CloudMirror } from '../../support/cloud-mirror.ts';
import { ORGANIZATION, SECRET, StandInVendor, vendorPrograms } from '../../support/stand-in-vendor.ts';
import { INGOT, TestHome, traces, whyNot } from '../support.ts';

/*
 * Builds of a system that is taken for one of Red Hat's: a Debian with stand-ins for dnf and subscription-manager, as a cloud image of a catalog of the test's.
 * INGOT_TEST_HOME is a home that is kept, with its `debian-12`: for those who run a test again and again.
 */

const reason = whyNot() ?? ((await findProgram(realHost(), 'gpg')) === undefined ? 'there is no gpg to sign a mirror with' : undefined);

/** Kernels have an initramfs by Red Hat's name, or each layer with packages would make one. */
const INITRAMFS = 'for k in /lib/modules/*; do echo stub >/boot/initramfs-$(basename "$k").img; done';
const OS_RELEASE = 'ID=stand-in-rhel\nVERSION_ID="9.4"\nPRETTY_NAME="Stand-in for RHEL 9.4"\n';

describe.skipIf(reason !== undefined)(`builds with a subscription${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let mirror: CloudMirror;
  let vendor: StandInVendor;
  const template = async (name: string, packages: readonly string[], subscribed = true): Promise<string> => {
    const file = join(home.root, 'work', `${name}.yaml`);
    const subscription = `subscription: { organization: '${ORGANIZATION}', activation-key: { secret: vendor-key } }\n`;
    await writeFile(file, `from: stand-in-rhel-9\n${subscribed ? subscription : ''}packages: [${packages.join(', ')}]\n`);
    return file;
  };
  /** A build in a process group of its own, as a shell in a terminal starts it, once its machine is registered and a package is on its way. */
  const hanging = async (name: string): Promise<RunningProcess> => {
    const registered = new Promise<void>((resolve) => (vendor.onRegister = resolve));
    const file = await template(name, ['slow']);
    const running = hostProcesses.spawn([INGOT, 'build', file, '--no-gate'], { env: home.environment(), detached: true, stderr: 'pipe' });
    running.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await Promise.race([registered, running.ended]);
    vendor.onRegister = () => undefined;
    return running;
  };
  let said = '';

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.kept(hostPath(kept));
    vendor = await StandInVendor.open();
    const work = join(home.root, 'work');
    for (const { path, content, mode } of vendorPrograms(vendor)) {
      await mkdir(dirname(join(work, 'programs', path)), { recursive: true });
      await writeFile(join(work, 'programs', path), content, { mode: Number.parseInt(mode, 8) });
    }
    const steps = [
      `  - { copy: programs, to: / }`,
      `  - { file: /etc/os-release, content: ${JSON.stringify(OS_RELEASE)} }`,
      `  - run: ${JSON.stringify(INITRAMFS)}`,
    ];
    await writeFile(join(work, 'stand-in.yaml'), `name: stand-in\nfrom: debian-12\nsteps:\n${steps.join('\n')}\n`);
    await home.json(['build', join(work, 'stand-in.yaml'), '--no-gate', '--yes']);
    // In the store: a variable can be read in the environment of ingot itself.
    await hostProcesses.run([INGOT, 'secret', 'set', 'vendor-key'], { env: home.environment(), stdin: SECRET });
    mirror = await CloudMirror.open(join(home.root, 'mirror'));
    await home.json(['image', 'export', 'stand-in', join(mirror.folder, 'stand-in.qcow2'), '--force']);
    await mirror.add('stand-in.qcow2', { id: 'stand-in-rhel-9', version: '9', codename: '' });
    await mirror.publish();
    const distribution = { distribution: 'stand-in-rhel', name: 'Stand-in for RHEL', family: 'rhel', defaultUser: 'debian', subscription: 'rhel' };
    await mirror.catalog(join(home.root, 'catalog'), distribution);
  });

  afterEach(() => {
    said = '';
    vendor.asked.length = 0;
    vendor.systems.clear();
  });

  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    await vendor[Symbol.asyncDispose]();
    expect(await traces(home.root)).toEqual([]);
    await home.ingot(['secret', 'remove', 'vendor-key']);
    await home[Symbol.asyncDispose]();
  });

  test('without one, packages are refused with the way to add it', async () => {
    const { exitCode, stderr } = await home.ingot(['build', await template('missing', ['hello'], false), '--no-gate']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/subscription-missing[^]*packages[^]*ingot secret set/);
  });

  test('a layer is registered while its packages come; it is made once, and holds nothing of it', async () => {
    const file = await template('hello', ['hello']);
    const { exitCode, stderr } = await home.ingot(['build', file, '--no-gate']);
    expect(exitCode, stderr).toBe(0);
    expect(vendor.asked).toEqual([expect.stringMatching(/^register ingot-/), expect.stringMatching(/^unregister /)]);
    expect([[...vendor.systems], vendor.seen]).toEqual([[], []]);
    expect(stderr).not.toContain(SECRET);
    vendor.asked.length = 0;
    // A renewed secret makes nothing anew.
    await home.json(['build', file, '--no-gate'], { INGOT_SECRET_VENDOR_KEY: 'another-one' });
    expect(vendor.asked).toEqual([]);
  });

  test('a refusal ends the build with the vendor words, and without the secret', async () => {
    const file = await template('refused', ['other']);
    const { exitCode, stderr } = await home.ingot(['build', file, '--no-gate'], { env: { INGOT_SECRET_VENDOR_KEY: 'wrong-key-of-somebody' } });
    expect(exitCode).toBe(6);
    expect(stderr).toMatch(/subscription-refused[^]*None of the activation keys specified exist/);
    expect(stderr).not.toContain('wrong-key-of-somebody');
  });

  test('Ctrl-C, which every program of the terminal hears, unregisters before it ends', async () => {
    const running = await hanging('stopped');
    expect(vendor.systems.size).toBe(1);
    process.kill(-(running.pid ?? 0), 'SIGINT');
    expect(await running.ended, said).toMatchObject({ exitCode: 130 });
    expect([...vendor.systems], said).toEqual([]);
    expect(said).not.toMatch(/may still be registered/);
  });

  test('what kill -9 leaves at the vendor is told once, by the next job, with the way to remove it', async () => {
    const running = await hanging('killed');
    process.kill(-(running.pid ?? 0), 'SIGKILL');
    await running.ended;
    expect(vendor.systems.size).toBe(1);
    const next = await home.ingot(['build', await template('hello', ['hello']), '--no-gate']);
    expect(next.stderr).toMatch(/A build was killed, and the system ingot-\w+.* may still be registered at Red Hat. Remove it at https:\/\/console/);
    expect((await home.ingot(['build', await template('hello', ['hello']), '--no-gate'])).stderr).not.toContain('may still be registered');
  });
});
