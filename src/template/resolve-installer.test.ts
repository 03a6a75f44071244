import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeIso } from '../../tests/support/iso.ts';
import { failureOf, problemsOf, templateFolder } from '../../tests/support/templates.ts';

const INFO = { '.disk/info': 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST 20240210-11:27' };
const PRESEED = 'd-i debian-installer/locale string en_US.UTF-8\nd-i debian-installer/exit/poweroff boolean true\n';

describe('what a template says of an installer', () => {
  test('a release of the catalog', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: { release: debian-12, source: installer }\n' });
    expect(await at.resolve()).toMatchObject({
      base: { kind: 'installer', release: 'debian-12', method: 'preseed', medium: { kind: 'catalog' } },
      disk: { size: 10 * 2 ** 30, filesystem: 'ext4' },
    });
  });

  test.each(['from: ./my.iso\n', 'from: { iso: ./my.iso }\n', 'from: { iso: my.iso, release: debian-12, answers: ./a.cfg, arguments: quiet }\n'])(
    'an ISO: %s',
    async (text) => {
      await using at = await templateFolder({ 'web.yaml': text, 'a.cfg': PRESEED });
      await writeIso(join(at.folder, 'my.iso'), 'Debian 12.5.0 amd64 n', INFO);
      const { base } = await at.resolve();
      expect(base).toMatchObject({ kind: 'installer', release: 'debian-12', method: 'preseed', medium: { kind: 'iso', path: join(at.folder, 'my.iso') } });
      if (text.includes('answers')) expect(base).toMatchObject({ answers: { text: PRESEED }, arguments: 'quiet' });
    },
  );

  test('a kernel and an initrd', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: { kernel: ./linux, initrd: ./initrd.gz, release: debian-12 }\n', linux: 'x', 'initrd.gz': 'y' });
    expect((await at.resolve()).base).toMatchObject({ medium: { kind: 'netboot', kernel: join(at.folder, 'linux'), initrd: join(at.folder, 'initrd.gz') } });
  });

  test('a medium that does not say what it is has to be named, and one of another distribution is refused', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: ./my.iso\n', 'other.yaml': 'from: { iso: ./deb.iso, release: ubuntu-24.04 }\n' });
    await writeIso(join(at.folder, 'my.iso'), 'CDROM', { README: 'x' });
    expect(await problemsOf(at.resolve())).toEqual([expect.stringMatching(/^web\.yaml:1:.*from: .*does not say what it installs.*Say it/)]);
    await writeIso(join(at.folder, 'deb.iso'), 'X', INFO);
    await at.write({ 'web.yaml': 'from: { iso: ./deb.iso, release: ubuntu-24.04 }\n' });
    expect(await failureOf(at.resolve())).toMatchObject({ code: 'iso-differs', message: expect.stringContaining('Debian GNU/Linux 12.5.0') });
  });

  test('what cannot be said beside an installer', async () => {
    await using at = await templateFolder({
      'web.yaml': 'from: { release: debian-12, source: installer, answers: ./a.cfg }\ndisk: { lvm: true, filesystem: xfs, firmware: both }\n',
      'a.cfg': PRESEED,
    });
    const problems = await problemsOf(at.resolve());
    expect(problems).toEqual([
      expect.stringContaining('disk.lvm: cannot be said here'),
      expect.stringContaining('disk.filesystem: cannot be said here'),
      expect.stringContaining('disk.firmware: cannot be both'),
    ]);
    await at.write({ 'web.yaml': 'from: { release: debian-12, answers: ./a.cfg }\n' });
    expect(await problemsOf(at.resolve())).toEqual([expect.stringContaining('from.answers: goes with `source: installer`')]);
  });

  test('an answer file that no installer could read is told by its lines', async () => {
    await using at = await templateFolder({
      'web.yaml': 'from: { release: almalinux-9, source: installer, answers: ./ks.cfg }\n',
      'ks.cfg': 'lang en_US.UTF-8\n%post\necho never closed\n',
    });
    const error = await failureOf(at.resolve());
    expect(error).toMatchObject({ code: 'answers-invalid', message: expect.stringContaining('kickstart') });
    expect(error.problems[0]?.position).toMatchObject({ file: expect.stringContaining('ks.cfg'), line: expect.any(Number) });
  });

  test('an answer file that is no text is told as such', async () => {
    await using at = await templateFolder({
      'web.yaml': 'from: { release: almalinux-9, source: installer, answers: ./ks.cfg }\n',
      'ks.cfg': Buffer.from([0x6c, 0xff, 0xfe, 0x0a]),
    });
    expect(await problemsOf(at.resolve())).toEqual([expect.stringMatching(/^web\.yaml:1:\d+ from\.answers: \.\/ks\.cfg is not text in UTF-8$/)]);
    await at.write({ 'ks.cfg': 'lang en_US.UTF-8\0' });
    expect(await problemsOf(at.resolve())).toEqual([expect.stringContaining('is not text')]);
  });

  test('a kernel without its initrd is told what is missing', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: { kernel: ./linux, release: debian-12 }\n' });
    expect(await problemsOf(at.resolve())).toEqual([expect.stringContaining('from.initrd: is missing')]);
  });

  test('a release whose installer asks cannot be installed', async () => {
    await using at = await templateFolder({ 'web.yaml': 'from: { release: linuxmint-22.3, source: installer }\n' });
    expect(await problemsOf(at.resolve())).toEqual([expect.stringContaining('the installer of linuxmint-22.3 cannot be run unattended')]);
  });
});
