import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { hostPath } from '../base/types.ts';
import { TAR_END, tarHeader, tarPadding } from '../store/tar.ts';
import { readRootArchive } from './root-archive.ts';

/** A header of another kind, with a target, and its sum set right. */
function header(name: string, type: string, target = '', size = 0): Buffer {
  const bytes = Buffer.from(tarHeader(name, size));
  bytes.write(type, 156, 'latin1');
  bytes.write(target, 157, 'latin1');
  bytes.fill(' ', 148, 156);
  bytes.write(
    `${bytes
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  return bytes;
}
const file = (name: string, size = 3): Buffer => Buffer.concat([header(name, '0', '', size), Buffer.alloc(size), tarPadding(size)]);
const ROOT = [header('./', '5'), header('./etc/', '5'), file('./etc/os-release')];

async function read(archive: Buffer): Promise<unknown> {
  const files = {
    status: () => Promise.resolve({ kind: 'file' as const, size: archive.length, mode: 0o644, modified: new Date(0), version: '', allocated: 0, inode: 1 }),
    readPart: (_: string, at: number, length: number) => Promise.resolve(archive.subarray(at, at + length)),
  };
  return await readRootArchive(files, hostPath('/root.tar'));
}
const archive = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...ROOT, ...parts, TAR_END]);

test('a root has files, folders, links within it, pipes, and devices in /dev', async () => {
  const parts = [
    file('bin/busybox', 5),
    header('bin/sh', '2', '/bin/busybox'),
    header('bin/ash', '1', './bin/busybox'),
    header('run/pipe', '6'),
    header('./dev/sda', '4'),
  ];
  expect(await read(archive(...parts, file(String.raw`etc/systemd/system-systemd\x2dfsck.slice`)))).toEqual({ bytes: 11, entries: 9 });
});

test.each([
  ['an absolute name', file('/etc/shadow')],
  ['a name with dots', file('usr/../../etc/shadow')],
  ['a name through a link', Buffer.concat([header('out', '2', '/etc'), file('out/shadow')])],
  ['a hard link that leads out', header('shadow', '1', '/etc/shadow')],
  ['a hard link with dots', header('shadow', '1', '../etc/shadow')],
  ['a hard link to what is not there', header('shadow', '1', 'etc/shadow')],
  ['a hard link through a link', Buffer.concat([header('out', '2', '/etc'), header('x', '1', 'out/shadow')])],
  ['a device', header('disk', '4')],
  ['a character device', header('etc/null', '3')],
  ['a kind that no root has', header('x', 'V')],
])('%s is refused', async (_, part) => {
  await expect(read(archive(part))).rejects.toMatchObject({ code: 'archive-unsafe' });
});

test('what is no root, and what is cut off or damaged, is named', async () => {
  await expect(read(Buffer.concat([file('disk.raw'), TAR_END]))).rejects.toMatchObject({ code: 'root-missing', detail: expect.stringContaining('disk.raw') });
  await expect(read(archive(file('big', 4000)).subarray(0, 3000))).rejects.toMatchObject({ code: 'archive-invalid' });
});

test('any byte may be another: it is read, or refused with a code', async () => {
  const whole = archive(file('bin/busybox', 5), header('bin/ash', '1', 'bin/busybox'));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), async (at, value, end) => {
      const changed = Buffer.from(whole);
      changed.writeUInt8(value, at);
      await read(changed.subarray(0, end)).catch((error: unknown) => expect(error).toBeInstanceOf(IngotError));
    }),
  );
});
