import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { RELEASES, anyFacts, sampleFacts } from '../../../../tests/support/install-facts.ts';
import type { AnswerKind } from './answer-files.ts';
import { writeAnswers } from './answers.ts';
import type { InstallRelease } from './facts.ts';

/*
 * The distributions' own validators, where they are on the search path: pykickstart's ksvalidator, `cloud-init schema`, debconf-set-selections, xmllint,
 * archinstall's own reader. docs/answer-files.md says where they are to be had.
 */

const folder = mkdtempSync(join(tmpdir(), 'ingot-answers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const runs = (program: string, ...options: string[]): boolean => spawnSync(program, options, { stdio: 'ignore' }).status === 0;
const onPath = (program: string): boolean => runs('sh', '-c', 'command -v "$0"', program);
const PRESENT = {
  ksvalidator: onPath('ksvalidator'),
  'cloud-init': onPath('cloud-init'),
  'debconf-set-selections': onPath('debconf-set-selections'),
  xmllint: onPath('xmllint'),
  archinstall: runs('python3', '-c', 'import archinstall, pydantic'),
};
type Validator = keyof typeof PRESENT;

const validated = (validator: Validator, what: string, check: () => void): void =>
  test.skipIf(!PRESENT[validator])(`${validator} accepts ${what}${PRESENT[validator] ? '' : ' (skipped: it is not here)'}`, check, 120_000);

/** Files of a kind as they are on a disk: those of the sample, and of some of any facts. */
function written(kind: AnswerKind, release: InstallRelease, name: string): string[] {
  const facts = [sampleFacts(release), ...fc.sample(anyFacts(kind, release), { numRuns: 3, seed: 8 })];
  return facts.map((one, i) => {
    const path = join(folder, `${release.distribution}-${i}-${name}`);
    writeFileSync(path, writeAnswers(kind, one).files.find((file) => file.name === name)?.text ?? '');
    return path;
  });
}

const release = (distribution: string, version: string): InstallRelease => ({ distribution, version, architecture: 'amd64' });

for (const [distribution, version, syntax] of [
  ['almalinux', '8', 'RHEL8'],
  ['almalinux', '9', 'RHEL9'],
  ['rhel', '10', 'RHEL10'],
  ['fedora', '42', 'F42'],
  ['fedora', '43', 'F43'],
] as const) {
  validated('ksvalidator', `kickstart files of ${distribution} ${version}`, () => {
    for (const path of written('kickstart', release(distribution, version), 'ks.cfg')) execFileSync('ksvalidator', ['-v', syntax, path], { stdio: 'pipe' });
  });
}

validated('debconf-set-selections', 'preseed files', () => {
  for (const path of written('preseed', release('debian', '12'), 'preseed.cfg')) {
    const { status, stderr } = spawnSync('debconf-set-selections', ['--checkonly', path], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  }
});

validated('cloud-init', 'user-data of autoinstall', () => {
  for (const path of written('autoinstall', release('ubuntu', '24.04'), 'user-data'))
    execFileSync('cloud-init', ['schema', '--config-file', path], { stdio: 'pipe' });
});

validated('xmllint', 'profiles of AutoYaST, as far as they are well-formed', () => {
  execFileSync('xmllint', ['--noout', ...written('autoyast', release('sles', '15.6'), 'autoinst.xml')], { stdio: 'pipe' });
});

validated('archinstall', 'its configuration, and reads from it what was said', () => {
  const arch = release('arch', 'rolling');
  const [configurations, credentials] = [written('archinstall', arch, 'user_configuration.json'), written('archinstall', arch, 'user_credentials.json')];
  const script = join(import.meta.dirname, '../../../../tests/support/archinstall-config.py');
  const said: unknown = JSON.parse(
    execFileSync('python3', [script, configurations[0] ?? '', credentials[0] ?? ''], { encoding: 'utf8' })
      .split('\n')
      .at(-2) ?? '',
  );
  const facts = sampleFacts(arch);
  expect(said).toMatchObject({
    hostname: facts.hostname,
    timezone: facts.timezone,
    packages: ['openssh', 'sudo', ...facts.packages],
    services: ['sshd'],
    bootloader_config: { bootloader: 'Systemd-boot' },
    locale_config: { kb_layout: facts.keyboard, sys_lang: facts.locale },
    disk_config: { config_type: 'pre_mounted_config' },
    root_enc_password: '*',
  });
  for (const [i, path] of configurations.entries()) execFileSync('python3', [script, path, credentials[i] ?? ''], { stdio: 'pipe' });
});

test('scripts of every kind are shell', () => {
  for (const { kind, release: one } of RELEASES) {
    for (const { name, text } of writeAnswers(kind, sampleFacts(one)).files) {
      if (name.endsWith('.sh') || name === 'answers') execFileSync('sh', ['-n'], { input: text });
    }
  }
});
