import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostPath } from '../../../src/base/types.ts';
import { suse } from '../../../src/families/suse/family.ts';
import { errorOf, FamilyLab, runAll, said } from '../../support/family-lab.ts';
import { FamilyRecord } from '../../support/family-results.ts';
import { bootTests, otherPrograms, packageTests, systemOf, systemTests, type RpmFamily } from '../../support/rpm-family-tests.ts';
import { MANAGERS, PREPARED, serveRpms, type RpmLab } from '../../support/rpm-lab.ts';
import { whyNoRpm } from '../../support/rpm-repository.ts';
import { whyNot } from '../support.ts';

const why = whyNot() ?? whyNoRpm();
const record = new FamilyRecord('suse');

describe.skipIf(why !== undefined)(`the family suse, by the real zypper and rpm${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let lab: FamilyLab;
  let rpms: RpmLab;
  let zypper = '';
  let programs: Readonly<Record<string, string>> = {};
  let ready: readonly HostPath[] = [];

  beforeAll(async () => {
    rpms = await serveRpms();
    lab = await FamilyLab.make('suse', MANAGERS);
    await lab.prepare({ steps: PREPARED });
    ready = await lab.build({ system: systemOf({ repositories: ['distribution', 'hello'].map((name) => rpms.repository(name)) }) });
    await using workspace = await lab.open();
    programs = await otherPrograms(workspace);
    zypper = await said(workspace, 'zypper --version');
  });

  afterAll(async () => {
    record.save();
    await lab[Symbol.asyncDispose]();
    await rpms[Symbol.asyncDispose]();
  });

  const given: RpmFamily = {
    family: suse,
    lab: () => lab,
    rpms: () => rpms,
    ready: () => ready,
    ran: (operation) => record.ran(operation, programs[operation] ?? zypper),
    faults: {
      unknown: /hello-servce.*not found|No provider of 'hello-servce'/,
      unsigned: /unsigned/,
      wrongKey: /unknown key|Signature verification failed/,
      damaged: /damaged[^]*(checksum|Digest|invalid)/i,
      missing: /missing[^]*(404|not found|invalid)/,
    },
    cache: '/var/cache/zypp',
    version: '15.6',
    network: 'wicked',
  };
  packageTests(given);
  systemTests(given);
  bootTests(given, '/boot/initrd-VERSION');

  test('a repository that is off is switched on, by its name alone', async () => {
    await using workspace = await lab.open();
    const off = (id: string): string => `[${id}]\nname=${id}\nbaseurl=${rpms.url}/hello\nenabled=0\ngpgcheck=1\n`;
    await workspace.root.writeFiles(['extra', 'other'].map((id) => ({ path: `/etc/zypp/repos.d/${id}.repo`, content: off(id), mode: '0644' })));
    await runAll(workspace, suse.enable?.(['extra']) ?? []);
    expect(await said(workspace, 'grep -H enabled /etc/zypp/repos.d/*')).toBe('/etc/zypp/repos.d/extra.repo:enabled=1\n/etc/zypp/repos.d/other.repo:enabled=0');
    expect(await errorOf(runAll(workspace, suse.enable?.(['extre']) ?? []))).toContain('extre');
  });

  test('what a registration added goes, and so does what would have YaST ask questions', async () => {
    const service = '[SLES]\nname=SLES\nenabled=1\nurl=https://scc.suse.com/access/services/1?credentials=SLES\n';
    const own = '[own]\nname=own\nenabled=1\nurl=https://packages.example.org/services\n';
    const file = (path: string, content: string) => ({ kind: 'file', label: path, path, content, mode: '0600', owner: 'root:root' }) as const;
    const steps = [
      file('/etc/zypp/services.d/SLES.service', service),
      file('/etc/zypp/services.d/own.service', own),
      file('/etc/zypp/credentials.d/SCCcredentials', 'username=SCC_x\npassword=y\n'),
      file('/var/lib/YaST2/reconfig_system', ''),
    ];
    await using workspace = await lab.open(await lab.build({ steps }));
    expect(await said(workspace, 'ls /etc/zypp/services.d /etc/zypp/credentials.d /var/lib/YaST2')).toBe(
      '/etc/zypp/credentials.d:\n\n/etc/zypp/services.d:\nown.service\n\n/var/lib/YaST2:',
    );
  });

  test('a transactional system is refused', async () => {
    await using workspace = await lab.open();
    await said(workspace, 'rm /etc/os-release; echo ID=sl-micro >/etc/os-release');
    expect(await errorOf(runAll(workspace, suse.install(['hello-data'])))).toContain('updated as a whole');
  });
});
