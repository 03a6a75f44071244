import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gateImage } from '../../../src/gate/gate.ts';
import type { Image } from '../../../src/store/model.ts';
import { openStore } from '../../../src/store/store.ts';
import { imageWith } from '../images.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/** Images that must not pass: what dirties each, and the check that has to say so. */
const DIRTY: readonly { readonly what: string; readonly script: string; readonly check: string }[] = [
  { what: 'a leftover machine-id', check: 'machine-id', script: 'echo 0123456789abcdef0123456789abcdef >/etc/machine-id' },
  { what: 'a leftover host key', check: 'host-keys', script: 'echo key >/etc/ssh/ssh_host_ed25519_key' },
  { what: 'a log of the build', check: 'logs', script: 'echo line >/var/log/dpkg.log' },
  { what: 'a network lease', check: 'leases', script: 'mkdir -p /var/lib/dhcp; echo lease >/var/lib/dhcp/dhclient.eth0.leases' },
  { what: 'package lists', check: 'package-lists', script: 'mkdir -p /var/lib/apt/lists; echo Package: x >/var/lib/apt/lists/mirror_Packages' },
  { what: 'a password', check: 'accounts', script: `sed -i 's|^root:[^:]*:|root:$6$abc$def:|' /etc/shadow` },
  { what: 'an account without a password', check: 'accounts', script: `sed -i 's|^root:[^:]*:|root::|' /etc/shadow` },
  { what: 'a random seed', check: 'random-seed', script: 'head -c 32 /dev/urandom >/var/lib/systemd/random-seed' },
  { what: 'a loop device in grub.cfg', check: 'boot-devices', script: `sed -i 's|root=UUID=[^ ]*|root=/dev/loop0|' /boot/grub/grub.cfg` },
  { what: 'a wrong UUID in fstab', check: 'fstab', script: `sed -i 's|^UUID=[0-9a-f]*-|UUID=00000000-|' /etc/fstab` },
  {
    what: 'a failed unit',
    check: 'failed-units',
    script:
      'printf "[Service]\\nType=oneshot\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n" >/etc/systemd/system/broken.service; systemctl enable broken.service',
  },
  {
    what: 'a root that cannot grow',
    check: 'root-grown',
    script: 'printf "growpart:\\n  mode: \\"off\\"\\nresize_rootfs: false\\n" >/etc/cloud/cloud.cfg.d/99-nogrow.cfg',
  },
  { what: 'a cloud-init error', check: 'cloud-init', script: 'printf "bootcmd:\\n  - [ /bin/false ]\\n" >/etc/cloud/cloud.cfg.d/99-bad.cfg' },
];

const reason = whyNot();

describe.skipIf(reason !== undefined)(`the gate${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let clean: Image;

  beforeAll(async () => {
    home = await TestHome.make();
    await home.json(['build', 'debian-12', '--no-gate', '--yes']);
    const context = await home.context();
    clean = await openStore(context.host, context.home).resolve('debian-12');
    expect(clean.gate?.result).toBe('not-run');
  });

  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test.each(DIRTY)('refuses $what', async ({ what, script, check }) => {
    const context = await home.context();
    const image = await imageWith(context, clean, `dirty-${what.replaceAll(/[^a-z]+/g, '-')}`, script);
    const statement = await gateImage(context, image, 'quick');
    expect(statement.result).toBe('failed');
    expect(statement.checks.filter((each) => each.result === 'failed').map((each) => each.name)).toContain(check);
  });

  test('passes the clean image at its full level: both firmwares, two clones, a reboot', async () => {
    const context = await home.context();
    const statement = await gateImage(context, clean, 'full');
    expect(statement.checks.filter((each) => each.result !== 'passed')).toEqual([]);
    expect(statement.checks.map((each) => each.name)).toEqual(expect.arrayContaining(['uefi/firmware', 'clones', 'reboot']));
    expect(statement.result).toBe('passed');
  });

  test('is not run again while its result holds', async () => {
    const context = await home.context();
    const image = await openStore(context.host, context.home).resolve('debian-12');
    expect(await gateImage(context, image, 'quick')).toEqual(image.gate);
  });
});
