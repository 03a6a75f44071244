import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { familyOf } from '../../families/families.ts';
import { usedSeal } from '../../families/used.ts';
import { seedContent } from '../../platforms/local/seed.ts';
import { vendorOf } from '../../platforms/local/vendor-data.ts';
import type { Share } from '../../platforms/local/vm-record.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ingot-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SHARES: readonly Share[] = [
  { tag: 'share0', kind: 'virtiofs', host: '/home/me/src', guest: '/srv/src', readOnly: false },
  { tag: 'share1', kind: '9p', host: '/home/me/data', guest: '/srv/data', readOnly: true },
];
const OWN = 'UUID=1234 / ext4 errors=remount-ro 0 1\n# shared\nshare0 /mnt/mine virtiofs defaults 0 0\nnas:/share1 /srv/nas nfs rw,nofail 0 0\n';

/** Runs a script of the guest's on the file in this folder, and pretends what it mounts. */
function inGuest(script: string): void {
  const here = script.replaceAll('/etc/fstab', join(folder, 'fstab'));
  execFileSync('sh', ['-ec', `mkdir() { :; }; mountpoint() { :; }\n${here}`]);
}

test('what the seed of a machine wrote for its shared folders is not in an image of it; what its user wrote is', () => {
  const fstab = join(folder, 'fstab');
  writeFileSync(fstab, OWN);
  const { vendorData = '' } = seedContent({ instanceId: 'i', hostname: 'web', publicKey: 'ssh-ed25519 AAAA' }, { shares: SHARES });
  const [boot] = z.tuple([z.object({ content: z.string() })]).parse(vendorOf(vendorData).parts);
  inGuest(boot.content);
  expect(readFileSync(fstab, 'utf8').split('\n')).toHaveLength(OWN.split('\n').length + SHARES.length);
  const { argv } = usedSeal(familyOf('debian')).last.at(-1) ?? { argv: [] };
  inGuest(argv.at(-1) ?? '');
  expect(readFileSync(fstab, 'utf8')).toBe(OWN);
  inGuest(argv.at(-1) ?? '');
  expect(readFileSync(fstab, 'utf8')).toBe(OWN);
});
