import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostPath } from '../../base/types.ts';
import { shareCommand } from './share-daemon.ts';
import { chooseKind, parseShare } from './shares.ts';

const here = hostPath('/home/me');

describe('a shared folder', () => {
  test.each([
    ['./src:/srv/src', { host: '/home/me/src', guest: '/srv/src', readOnly: false }],
    ['/data:/srv/data:ro', { host: '/data', guest: '/srv/data', readOnly: true }],
    ['a:b:/srv/x/', { host: '/home/me/a:b', guest: '/srv/x', readOnly: false }],
    ['..:/srv/up', { host: '/home', guest: '/srv/up', readOnly: false }],
  ])('%s', (text, share) => {
    expect(parseShare(text, here)).toEqual(share);
  });

  test.each(['', 'src', ':/srv/src', 'src:', 'src:srv', 'src:/', 'src:/etc', 'src:/usr/', 'src:/srv/../etc', 'src:/a b', 'src:/a\nb', "src:/a'b"])(
    '%j is none',
    (text) => {
      expect(() => parseShare(text, here)).toThrow(expect.objectContaining({ code: 'share-invalid' }));
    },
  );

  test('without a folder to begin at, the path is whole', () => {
    expect(() => parseShare('src:/srv/src', undefined)).toThrow(expect.objectContaining({ code: 'share-invalid' }));
  });

  test('what it becomes is one word of /etc/fstab', () => {
    fc.assert(
      fc.property(fc.string(), (guest) => {
        try {
          expect(parseShare(`/src:${guest}`, here).guest).toMatch(/^\/[^\s'"\\]+$/);
        } catch (error) {
          expect(error).toMatchObject({ code: 'share-invalid' });
        }
      }),
    );
  });
});

describe('how the guest gets it', () => {
  const c = { path: '/usr/lib/qemu/virtiofsd', dialect: 'c', readOnly: false } as const;
  const rust = { path: '/usr/libexec/virtiofsd', dialect: 'rust', readOnly: true } as const;
  const means = { can: ['virtiofs'], kernel: 'cloud', daemon: rust, root: false, linux: true, readOnly: false } as const;
  test.each([
    ['virtiofs where both can', {}, 'virtiofs'],
    ['the daemon in C, as root', { daemon: c, root: true, readOnly: true }, 'virtiofs'],
    ['9p where the daemon is missing', { can: ['virtiofs', '9p'], daemon: undefined }, '9p'],
    ['9p where the daemon needs root', { can: ['virtiofs', '9p'], daemon: c }, '9p'],
    ['9p on other hosts than Linux', { can: ['virtiofs', '9p'], linux: false }, '9p'],
  ] as const)('%s', (_, more, kind) => {
    expect(chooseKind({ ...means, ...more })).toBe(kind);
  });

  test.each([
    ['no daemon', { daemon: undefined }, "virtiofsd is not installed, and the image's cloud kernel has no 9p"],
    ['no root', { daemon: c }, "/usr/lib/qemu/virtiofsd works for root alone, and the image's cloud kernel has no 9p"],
    ['no kernel', { can: [] }, "the image's cloud kernel has no virtiofs and no 9p"],
    ['no Linux', { linux: false }, "virtiofs works on Linux hosts alone, and the image's cloud kernel has no 9p"],
    ['no way to keep it from writing', { daemon: { ...rust, readOnly: false }, readOnly: true }, 'read-only'],
  ] as const)('refused with the reason: %s', (_, more, why) => {
    expect(() => chooseKind({ ...means, ...more })).toThrow(expect.objectContaining({ code: 'share-unsupported', message: expect.stringContaining(why) }));
  });

  test('read-only holds on the host, whatever the guest does', () => {
    const share = { host: '/a,b', readOnly: true };
    const socket = hostPath('/vms/web/share0.sock');
    expect(shareCommand(rust, share, socket, false)).toContain('--readonly');
    const byRoot = shareCommand(c, share, socket, true);
    expect(byRoot.slice(0, 4)).toEqual(['unshare', '--mount', '--propagation', 'private']);
    expect(byRoot[8]).toBe('/a,b');
    expect(byRoot).toContain(String.raw`source=/a\,b`);
    expect(shareCommand(c, { ...share, readOnly: false }, socket, true)[8]).toBe('');
  });
});
