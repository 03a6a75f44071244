import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { runningVm, type RunningVm } from '../../../tests/support/running-vm.ts';
import type { Argv } from '../../base/process.ts';
import { hostPath, parseName } from '../../base/types.ts';
import { copyError, copyFiles, escapeGlob, scpCommand, type Copy } from './copy.ts';

const access = { port: 22_200, user: 'debian', key: hostPath('/home/a b/id_ed25519'), knownHosts: hostPath('/home/vms/web/known_hosts') };

test('the command reads no configuration, and no shell of the guest reads names', () => {
  const words = scpCommand('web', access, '/a b', '127.0.0.1:c d');
  expect(words.slice(0, 7)).toEqual(['scp', '-s', '-r', '-p', '-q', '-F', 'none']);
  expect(words).toEqual(expect.arrayContaining(['IdentityFile="/home/a b/id_ed25519"', 'User=debian', '22200']));
  expect(words.slice(-3)).toEqual(['--', '/a b', '127.0.0.1:c d']);
});

test('a name is no pattern', () => {
  expect(escapeGlob(String.raw`/a/b[1]*?\{x} it's`)).toBe(String.raw`/a/b\[1\]\*\?\\\{x\} it's`);
});

test.each([
  ['out', 'scp: /nope: No such file or directory\n', 'file-missing', 'There is no /x in web'],
  ['in', 'scp: dest open "/x": No such file or directory\n', 'folder-missing', 'There is no folder for /x in web'],
  ['in', 'scp: dest open "/x": Permission denied\n', 'copy-denied', 'The user of web may not write all of /x there'],
  ['out', 'subsystem request failed on channel 0\nscp: Connection closed', 'copy-failed', 'The copy from web broke off'],
  ['in', 'scp: write remote "/x": Failure', 'copy-failed', 'Not all could be copied to web'],
  ['in', 'unknown option -- s\nusage: scp', 'scp-too-old', 'The scp here knows no SFTP'],
] as const)('%s: %j', (direction, said, code, message) => {
  expect(copyError({ vm: parseName('web', 'a VM'), direction, guestPath: '/x' }, said)).toMatchObject({ code, message, detail: said.trim() });
});

describe('copying', () => {
  /** A VM whose scp writes a file that holds the guest's path, and the paths it was called with. */
  async function vmWithScp(lab: SampleLab, work: (target: string) => Promise<unknown>): Promise<RunningVm & { readonly paths: string[] }> {
    const paths: string[] = [];
    const vm = await runningVm(lab, 'web', {
      run: async (argv: Argv) => {
        paths.push(...argv.slice(-2));
        await work(argv.at(-1) ?? '');
        return {};
      },
    });
    return { ...vm, paths };
  }
  const out = (vm: RunningVm, guestPath: string, path: string): Copy => ({ direction: 'out', vm: vm.name, guestPath, path: hostPath(path) });

  test('a file out of a VM appears when it is whole, in place of the old one', async () => {
    await using lab = await sampleLab();
    const target = join(lab.home.home.root, 'hosts');
    await lab.host.files.write(target, 'old');
    await using vm = await vmWithScp(lab, async (part) => {
      await lab.host.files.write(part, 'new');
      expect(Buffer.from(await lab.host.files.read(target)).toString()).toBe('old');
    });
    await copyFiles(vm.context, out(vm, '/etc/hosts', target));
    expect(Buffer.from(await lab.host.files.read(target)).toString()).toBe('new');
    expect(vm.paths[0]).toBe('127.0.0.1:/etc/hosts');
  });

  test('into a folder it has its own name; a folder that is there is added to', async () => {
    await using lab = await sampleLab();
    const folder = join(lab.home.home.root, 'into');
    await lab.host.files.makeDirectory(join(folder, 'site'));
    await using vm = await vmWithScp(lab, (part) => lab.host.files.write(part.endsWith('into') ? join(part, 'x') : part, 'new'));
    await copyFiles(vm.context, out(vm, '/etc/ho[s]ts', folder));
    await copyFiles(vm.context, out(vm, '/var/site', folder));
    await copyFiles(vm.context, out(vm, '', folder));
    expect(await lab.host.files.list(folder)).toEqual(['ho[s]ts', 'site', 'x']);
    expect(vm.paths.filter((_, index) => index % 2 === 0)).toEqual([String.raw`127.0.0.1:/etc/ho\[s\]ts`, '127.0.0.1:/var/site', '127.0.0.1:.']);
    expect(vm.paths.slice(-3)).toEqual([folder, '127.0.0.1:.', folder]);
  });

  test('what failed leaves nothing', async () => {
    await using lab = await sampleLab();
    await using vm = await runningVm(lab, 'web', {
      run: async (argv) => {
        await lab.host.files.write(argv.at(-1) ?? '', 'half');
        return { exitCode: 1, stderr: 'scp: /etc/shadow: Permission denied' };
      },
    });
    const before = await lab.host.files.list(lab.home.home.root);
    await expect(copyFiles(vm.context, out(vm, '/etc/shadow', join(lab.home.home.root, 'shadow')))).rejects.toMatchObject({ code: 'copy-denied' });
    expect(await lab.host.files.list(lab.home.home.root)).toEqual(before);
  });

  test('a file or folder that is not here is told before anybody is waited for', async () => {
    await using lab = await sampleLab();
    const vm = parseName('none', 'a VM');
    const copy = (direction: 'in' | 'out'): Promise<void> =>
      copyFiles(lab.context(), { direction, vm, guestPath: '/x', path: hostPath(join(lab.home.home.root, 'no', 'where')) });
    await expect(copy('in')).rejects.toMatchObject({ code: 'file-missing' });
    await expect(copy('out')).rejects.toMatchObject({ code: 'folder-missing' });
  });
});
