import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sampleRelease } from '../../../../tests/support/installer.ts';
import { writeIso } from '../../../../tests/support/iso.ts';
import { failureOf } from '../../../../tests/support/templates.ts';
import { hostFiles } from '../../../base/files.ts';
import { hostPath } from '../../../base/types.ts';
import { ANSWER_KINDS, packedAnswers, writeAnswers } from '../answers/answers.ts';
import { extractBootFiles } from '../boot-files.ts';
import { IsoImage } from '../iso/reader.ts';
import { ownAnswers } from '../own-answers.ts';
import { baseFacts, subscriptionFacts } from '../template-facts.ts';
import { argumentLabel, STAGES } from './kind.ts';
import { INSTALLERS } from './kinds.ts';

const RELEASES = {
  autoinstall: { distribution: 'ubuntu', version: '24.04', codename: 'noble' },
  kickstart: { distribution: 'almalinux', version: '9', family: 'rhel' },
  preseed: { distribution: 'debian', version: '12', codename: 'bookworm' },
  autoyast: { distribution: 'opensuse-leap', version: '15.6', family: 'suse' },
  agama: { distribution: 'opensuse-leap', version: '16.0', family: 'suse' },
  archinstall: { distribution: 'arch', version: '', family: 'arch', rolling: true },
  'setup-alpine': { distribution: 'alpine', version: '3.21', family: 'alpine' },
} as const;

describe.each(ANSWER_KINDS)('%s', (name) => {
  const kind = INSTALLERS[name];
  const facts = baseFacts(sampleRelease(RELEASES[name]), { arch: 'amd64', firmware: 'bios', filesystem: 'ext4' });

  test('says where it is, and what it is told takes the place of its answer file', () => {
    expect(kind.kind).toBe(name);
    const files = writeAnswers(name, facts);
    const before = packedAnswers(files);
    const after = packedAnswers(ownAnswers(files, kind.answerName, 'my own\n'));
    expect(after.length).toBe(before.length);
    expect(after.filter((file, i) => !file.content.equals(before[i]?.content ?? Buffer.alloc(0))).length).toBe(files.overlay === undefined ? 1 : 2);
    expect(files.delivery.http ?? files.delivery.disk).toBeDefined();
    expect(kind.stages.every(({ stage }) => STAGES.includes(stage))).toBe(true);
  });

  test('the base has the agents, and nothing of one template alone', () => {
    expect(facts).toMatchObject({ users: [], lateCommands: [], finish: 'poweroff', packages: ['cloud-init', 'qemu-guest-agent'] });
  });
});

test('a subscription is told in the words of its vendor', () => {
  expect(subscriptionFacts({ vendor: 'rhel', organization: '123', secret: 'a', repositories: [] }, 'abc')).toEqual({
    kind: 'redhat',
    organization: '123',
    activationKey: 'abc',
  });
  expect(subscriptionFacts({ vendor: 'sles', email: 'a@b.example', modules: [] }, 'abc')).toEqual({
    kind: 'suse',
    registrationCode: 'abc',
    email: 'a@b.example',
  });
  expect(subscriptionFacts({ vendor: 'sles', server: 'https://rmt.example', modules: [] }, 'abc')).toBeUndefined();
});

test('a label is written as the kernel reads it', () => {
  expect(argumentLabel('Fedora S dvd')).toBe(String.raw`Fedora\x20S\x20dvd`);
  expect(INSTALLERS.kickstart.arguments({ label: 'AlmaLinux-9-4-x86_64-dvd', repository: 'https://x/' })).toEqual([
    'inst.text',
    'inst.stage2=hd:LABEL=AlmaLinux-9-4-x86_64-dvd',
  ]);
  expect(INSTALLERS.preseed.arguments({ label: undefined, repository: undefined })).toEqual(['DEBIAN_FRONTEND=text', 'TERM=dumb']);
  expect(INSTALLERS.kickstart.arguments({ label: undefined, repository: 'https://x/' })).toEqual(['inst.text', 'inst.repo=https://x/']);
});

describe('kernel and initrd', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'boot-'))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = async (files: Readonly<Record<string, string>>): Promise<IsoImage> => {
    await writeIso(join(folder, 'a.iso'), 'X', files);
    return await IsoImage.open(hostFiles, hostPath(join(folder, 'a.iso')));
  };

  test('are copied from where the medium has them', async () => {
    const iso = await open({ linux: 'a kernel', 'initrd.gz': 'an initrd' });
    const { kernel, initrd } = await extractBootFiles(iso, INSTALLERS.preseed, 'amd64', hostPath(folder));
    expect([readFileSync(kernel, 'utf8'), readFileSync(initrd, 'utf8')]).toEqual(['a kernel', 'an initrd']);
  });

  test('that are not there are told with what was looked for, and what is there', async () => {
    const iso = await open({ 'docs/README': '', linux: 'no initrd' });
    const error = await failureOf(extractBootFiles(iso, INSTALLERS.preseed, 'amd64', hostPath(folder)));
    expect(error).toMatchObject({ code: 'iso-no-kernel', hint: expect.stringMatching(/install\.amd\/vmlinuz.*docs, linux/) });
    expect(await failureOf(extractBootFiles(iso, INSTALLERS.archinstall, 'arm64', hostPath(folder)))).toMatchObject({
      code: 'iso-no-kernel',
      hint: expect.stringContaining('arm64'),
    });
  });
});
