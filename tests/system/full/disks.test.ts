import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestHome, whyNot } from '../support.ts';

const TEMPLATE = `
from: debian-12
disk:
  size: 5GiB
  lvm: true
  swap: 256MiB
  partitions:
    - { mount: /var, size: 768MiB }
    - { mount: /var/log, size: 128MiB }
    - { mount: /srv, size: 384MiB, filesystem: xfs }
steps:
  - run: echo below >/srv/step && echo below >/var/lib/step
`;

const reason = whyNot();

describe.skipIf(reason !== undefined)(`a disk with everything${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder = '';

  beforeAll(async () => {
    home = await TestHome.make();
    folder = await mkdtemp('/var/tmp/ingot-test-');
    await writeFile(join(folder, 'disk.yaml'), TEMPLATE);
    await home.json(['build', join(folder, 'disk.yaml'), '--no-gate']);
  });

  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(['bios', 'uefi'])('starts by %s, mounts its partitions, grows its root and makes its swap file', async (firmware) => {
    expect(await home.ingot(['vm', 'create', firmware, '--image', 'disk', '--disk', '8GiB', '--firmware', firmware])).toMatchObject({ exitCode: 0 });
    const look = async (...command: string[]): Promise<string> => (await home.ingot(['vm', 'exec', firmware, '--', 'sudo', ...command])).stdout.trim();
    await look('cloud-init', 'status', '--wait');
    expect(await look('systemctl', 'list-units', '--state=failed', '--plain', '--no-legend')).toBe('');
    expect(await look('findmnt', '--noheadings', '--output', 'SOURCE', '/')).toBe('/dev/mapper/system-root');
    for (const [path, type] of Object.entries({ '/': 'ext4', '/var': 'ext4', '/var/log': 'ext4', '/srv': 'xfs' })) {
      expect(await look('findmnt', '--noheadings', '--output', 'FSTYPE', '--mountpoint', path)).toBe(type);
    }
    // 8 GiB less what the partitions and the boot loaders have.
    expect(Number((await look('df', '--block-size=1', '--output=size', '/')).split('\n').at(-1))).toBeGreaterThan(6 * 2 ** 30);
    expect(await look('swapon', '--show=NAME,SIZE', '--noheadings', '--bytes')).toMatch(/^\/swapfile +268431360$/);
    expect(await look('cat', '/srv/step', '/var/lib/step')).toBe('below\nbelow');
    expect(await home.ingot(['vm', 'delete', firmware, '--force'])).toMatchObject({ exitCode: 0 });
  });
});
