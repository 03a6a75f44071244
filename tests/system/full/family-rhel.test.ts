import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostPath } from '../../../src/base/types.ts';
import { rhel } from '../../../src/families/rhel/family.ts';
import { errorOf, FamilyLab, runAll, said } from '../../support/family-lab.ts';
import { FamilyRecord } from '../../support/family-results.ts';
import { bootTests, otherPrograms, packageTests, systemOf, systemTests, type RpmFamily } from '../../support/rpm-family-tests.ts';
import { MANAGERS, PREPARED, serveRpms, type RpmLab } from '../../support/rpm-lab.ts';
import { whyNoRpm } from '../../support/rpm-repository.ts';
import { whyNot } from '../support.ts';

const why = whyNot() ?? whyNoRpm();
const record = new FamilyRecord('rhel');

describe.skipIf(why !== undefined)(`the family rhel, by the real dnf and rpm${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let lab: FamilyLab;
  let rpms: RpmLab;
  let dnf = '';
  let programs: Readonly<Record<string, string>> = {};
  let ready: readonly HostPath[] = [];

  beforeAll(async () => {
    rpms = await serveRpms();
    lab = await FamilyLab.make('rhel', MANAGERS);
    await lab.prepare({ steps: PREPARED });
    ready = await lab.build({ system: systemOf({ repositories: ['distribution', 'hello'].map((name) => rpms.repository(name)) }) });
    await using workspace = await lab.open();
    programs = await otherPrograms(workspace);
    dnf = `dnf ${(await said(workspace, 'dnf --version')).split('\n')[0] ?? ''}`;
  });

  afterAll(async () => {
    record.save();
    await lab[Symbol.asyncDispose]();
    await rpms[Symbol.asyncDispose]();
  });

  const given: RpmFamily = {
    family: rhel,
    lab: () => lab,
    rpms: () => rpms,
    ready: () => ready,
    ran: (operation) => record.ran(operation, programs[operation] ?? dnf),
    faults: {
      unknown: /install: Error: Unable to find a match: hello-servce/,
      unsigned: /Package unsigned-package-1-1.noarch.rpm is not signed/,
      // Into an empty root dnf looks for the key's file in the root that holds dnf, finds none, and refuses just the same.
      wrongKey: /not correct for this package|Curl error \(37\): Could not read file/,
      damaged: /Failed to download metadata for repo 'damaged'[^]*checksum doesn't match/,
      missing: /Failed to download metadata for repo 'missing'[^]*404/,
    },
    cache: '/var/cache/dnf',
    version: '9',
    network: 'NetworkManager',
  };
  packageTests(given);
  systemTests(given);
  bootTests(given, '/boot/initramfs-VERSION.img');

  test('a repository that is off is switched on, by its name alone', async () => {
    await using workspace = await lab.open();
    const off = (id: string): string => `[${id}]\nname=${id}\nbaseurl=${rpms.url}/hello\nenabled=0\ngpgcheck=1\n\n`;
    await workspace.root.writeFiles([{ path: '/etc/yum.repos.d/extra.repo', content: `${off('crb')}${off('other')}[third]\nname=third\n`, mode: '0644' }]);
    await runAll(workspace, rhel.enable?.(['crb']) ?? []);
    expect(await said(workspace, 'dnf repolist --enabled 2>/dev/null | cut -d " " -f 1; cat /etc/yum.repos.d/extra.repo')).toMatch(
      /crb\nthird\n\[crb\][^[]*enabled=1\n[^[]*\[other\][^[]*enabled=0\n/,
    );
    expect(await errorOf(runAll(workspace, rhel.enable?.(['crv']) ?? []))).toContain('There is no repository crv in the image. The nearest are crb');
  });

  test('a system that is updated as a whole is refused', async () => {
    await using workspace = await lab.open();
    await said(workspace, 'mkdir /ostree');
    expect(await errorOf(runAll(workspace, rhel.install(['hello-data'])))).toContain('updated as a whole');
  });
});
