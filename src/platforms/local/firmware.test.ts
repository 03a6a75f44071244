import { expect, test } from 'vitest';
import { IngotError } from '../../base/errors.ts';
import { hostFiles, type Files } from '../../base/files.ts';
import { defaultFirmware, findFirmware } from './firmware.ts';

/** Files of which only these are there. */
function filesWith(...paths: string[]): { files: Files } {
  const status: Files['status'] = async (path) =>
    paths.includes(path) ? { size: 1, allocated: 1, modified: new Date(0), kind: 'file', mode: 0o644, inode: 1, version: '1' } : undefined;
  return { files: { ...hostFiles, status } };
}

test('BIOS needs no files', async () => {
  expect(await findFirmware(filesWith(), 'amd64', 'bios')).toBeUndefined();
});

test('code and variables are taken from the same build', async () => {
  const host = filesWith('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd');
  expect(await findFirmware(host, 'amd64', 'uefi')).toEqual({ code: '/usr/share/OVMF/OVMF_CODE.fd', variables: '/usr/share/OVMF/OVMF_VARS.fd' });
});

test("Secure Boot's variables hold Microsoft's keys", async () => {
  const host = filesWith('/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.ms.fd');
  expect(await findFirmware(host, 'amd64', 'uefi-secure')).toMatchObject({ variables: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' });
});

test('what is missing is named with its packages', async () => {
  const error = await findFirmware(filesWith(), 'arm64', 'uefi').catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(IngotError);
  expect(error).toMatchObject({
    code: 'firmware-missing',
    hint: expect.stringContaining('qemu-efi-aarch64'),
    detail: expect.stringContaining('/usr/share/AAVMF/AAVMF_CODE.fd'),
  });
});

test('an ARM machine has no BIOS', async () => {
  await expect(findFirmware(filesWith(), 'arm64', 'bios')).rejects.toMatchObject({ code: 'firmware-unsupported', hint: 'Use --firmware uefi.' });
  expect(defaultFirmware('arm64')).toBe('uefi');
  expect(defaultFirmware('amd64')).toBe('bios');
});
