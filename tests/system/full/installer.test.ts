import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../../src/base/programs.ts';
import { realHost } from '../../../src/base/host.ts';
import { hostProcesses } from '../../../src/base/process.ts';
import { CloudMirror } from '../../support/cloud-mirror.ts';
import { makeInstallerMedium } from '../../support/installer-medium.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/*
 * Unattended installations, for real: an installer of the test's own, as an ISO behind a mirror that signs its checksums, puts a system on a disk by a preseed file; the
 * image passes the gate. And the Debian installer itself, where its package can be had, is started by the same path and seen to fetch its preseed file. INGOT_TEST_HOME names
 * a home that is kept, with its debian-12 image and what the medium is made of.
 */

const PRESEED = [
  'd-i netcfg/get_hostname string installed-by-test',
  'd-i passwd/username string deploy',
  'd-i passwd/user-password-crypted password *',
  'd-i partman-auto/disk string /dev/vda',
  'd-i debian-installer/exit/poweroff boolean true',
  '',
].join('\n');
const INFO = 'Debian GNU/Linux 12.5.0 "Bookworm" - a test amd64';
const ARCHIVE = { suites: ['bookworm', 'bookworm-updates'], securitySuite: 'bookworm-security', components: ['main'] };
/** Debian's installer as a package, and where its kernel is in it. */
const DEBIAN_INSTALLER = 'debian-installer-12-netboot-amd64';
const IN_PACKAGE = 'usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';

const reason = whyNot() ?? ((await findProgram(realHost(), 'gpg')) === undefined ? 'there is no gpg to sign a mirror with' : undefined);
const kept = process.env['INGOT_TEST_HOME'];

/** The folder of the newest installation. */
async function newestLogs(root: string): Promise<string> {
  const folder = join(root, 'logs/installs/debian-mini');
  return join(folder, (await readdir(folder)).toSorted().at(-1) ?? '');
}

describe.skipIf(reason !== undefined)(`unattended installations${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let mirror: CloudMirror;
  const work = (name: string): string => join(home.root, 'work', name);

  const template = async (name: string, text: string): Promise<string> => {
    await writeFile(work(`${name}.yaml`), text);
    return work(`${name}.yaml`);
  };

  beforeAll(async () => {
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    await mkdir(work('medium'), { recursive: true });
    await writeFile(work('preseed.cfg'), PRESEED);
    await home.json(['build', 'debian-12', '--no-gate', '--yes', ...(kept === undefined ? [] : ['--offline'])]);
    mirror = await CloudMirror.open(work('medium'));
    await makeInstallerMedium(await home.context(), 'debian-12:latest', work('medium'), INFO);
    await mirror.addInstaller('installer.iso', { id: 'debian-mini', archive: ARCHIVE });
    await mirror.publish();
    await mirror.catalog(join(home.root, 'catalog'), { distribution: 'debian' });
  });

  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    if (kept === undefined) await home[Symbol.asyncDispose]();
  });

  test('the medium is fetched, proved, listed and removed', async () => {
    expect(await home.json(['iso', 'pull', 'debian-mini'])).toMatchObject({ media: [{ release: 'debian-mini', signed: true }] });
    expect(await home.json(['iso', 'list', '--cached'])).toMatchObject({ media: [{ release: 'debian-mini', method: 'preseed', cached: { vouched: true } }] });
    expect(await home.json(['iso', 'remove', 'debian-mini'])).toMatchObject({ removed: [{ release: 'debian-mini' }] });
    expect(await home.json(['iso', 'list', '--cached'])).toEqual({ media: [] });
  });

  test('a plan installs nothing, and says so', async () => {
    const file = await template('plan', 'from: { release: debian-mini, source: installer, answers: ./preseed.cfg }\n');
    expect((await home.ingot(['plan', file])).stderr).toContain('not-installed');
  });

  test('what an installer made by its answers passes the gate, and is installed once', async () => {
    const file = await template(
      'mini',
      [
        'from: { release: debian-mini, source: installer, answers: ./preseed.cfg }',
        'disk: { size: 4GiB }',
        'steps:',
        '  - run: cat /etc/installed-on /etc/hostname > /etc/said',
        'tests:',
        '  - command: id deploy',
        '  - command: grep -qx /dev/vda /etc/said',
        '  - command: grep -qx installed-by-test /etc/said',
        '',
      ].join('\n'),
    );
    const { exitCode, stderr } = await home.ingot(['build', file]);
    expect(exitCode, stderr).toBe(0);
    const logs = await newestLogs(home.root);
    const console = await readFile(join(logs, 'console.log'), 'utf8');
    expect(console).toContain('Installing GRUB boot loader');
    expect((await readdir(logs)).filter((name) => name.endsWith('.png')).length).toBeGreaterThan(2);
    mirror.asked.length = 0;
    expect(JSON.stringify(await home.json(['build', file]))).not.toContain('"cached":false');
    expect(mirror.asked.filter((path) => path.endsWith('.iso'))).toEqual([]);
  });

  test('an installer that asks is ended, with its question and a picture', async () => {
    await writeFile(work('asks.cfg'), PRESEED.replace(/^d-i passwd\/username.*\n/m, ''));
    const file = await template('asks', `from: { iso: ./medium/installer.iso, release: debian-mini, answers: ./asks.cfg }\n`);
    const { exitCode, stderr } = await home.ingot(['build', file, '--no-gate']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('install-asks');
    expect(stderr).toContain('Username for your account');
    expect(existsSync(join(await newestLogs(home.root), 'failure.png'))).toBe(true);
  });

  test.each(['SIGKILL', 'SIGINT'] as const)('an installation that %s ends leaves nothing behind', async (signal) => {
    const file = await template('killed', `from: { kernel: ./medium/parts/vmlinuz, initrd: ./medium/initrd, release: debian-mini, answers: ./preseed.cfg }\n`);
    const running = home.start(['build', file, '--no-gate']);
    const started = async (): Promise<boolean> => (await traces(home.root)).some((line) => line.includes('qemu-system') && line.includes('process'));
    while (!(await started())) await new Promise((resolve) => setTimeout(resolve, 200));
    running.kill(signal);
    await running.ended;
    while (await started()) await new Promise((resolve) => setTimeout(resolve, 200));
    await home.json(['image', 'list']);
    expect(await readdir(join(home.root, 'run'))).toEqual([]);
  });

  test('Debian’s own installer is started and fetches its preseed file', async (context) => {
    const folder = work('debian-installer');
    await mkdir(folder, { recursive: true });
    const script =
      'cd "$1"; [ -d tree ] || { apt-get download "$2"; mkdir tree; dpkg-deb --fsys-tarfile "$2"*.deb | tar -x -C tree "./$3/linux" "./$3/initrd.gz"; }';
    const fetched = await hostProcesses.run(['sh', '-ec', script, 'sh', folder, DEBIAN_INSTALLER, IN_PACKAGE], { accept: [1, 2, 100] });
    if (fetched.exitCode !== 0) return context.skip(`the package ${DEBIAN_INSTALLER} cannot be had: ${fetched.stderr.trim().split('\n').at(-1)}`);
    const at = `./debian-installer/tree/${IN_PACKAGE}`;
    // The archive that it is told of does not exist, so that it asks for another as soon as it has been told.
    await writeFile(
      work('no-mirror.cfg'),
      'd-i mirror/country string manual\nd-i mirror/http/hostname string none.invalid\nd-i mirror/http/directory string /debian\nd-i mirror/http/proxy string\nd-i debian-installer/exit/poweroff boolean true\n',
    );
    const file = await template('netboot', `from: { kernel: ${at}/linux, initrd: ${at}/initrd.gz, release: debian-12, answers: ./no-mirror.cfg }\n`);
    const { exitCode, stderr } = await home.ingot(['build', file, '--no-gate', '--verbose']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/install-asks|install-failed|install-timeout/);
    expect(stderr).toContain('the installer asked for preseed.cfg');
  });
});
