import { describe, expect, test } from 'vitest';
import { SAMPLE_TEMPLATE } from '../../../tests/support/sample-template.ts';
import { writeAnswers } from './answers/answers.ts';
import { installFacts } from './install-facts.ts';

const RELEASE = { distribution: 'debian', version: '12', codename: 'bookworm' };
const USER = { name: 'deploy', system: false, groups: [], sudo: true, sshKeys: ['# mine\nssh-ed25519 AAAA me\n'] };

describe('installFacts', () => {
  test('a template that says nothing has defaults for all that an installer asks', () => {
    const facts = installFacts(SAMPLE_TEMPLATE, RELEASE);
    expect(facts).toEqual({
      release: { distribution: 'debian', version: '12', codename: 'bookworm', architecture: 'amd64' },
      hostname: 'web',
      locale: 'en_US.UTF-8',
      keyboard: 'us',
      timezone: 'UTC',
      disk: { device: 'first', firmware: 'bios', filesystem: 'ext4' },
      users: [],
      packages: [],
      network: { kind: 'dhcp' },
      lateCommands: [],
      finish: 'poweroff',
    });
    expect(writeAnswers('preseed', facts).files.map(({ name }) => name)).toEqual(['preseed.cfg', 'finish.sh']);
  });

  test('users, packages, swap, names and places are those of the template', () => {
    const facts = installFacts(
      {
        ...SAMPLE_TEMPLATE,
        arch: 'arm64',
        disk: { ...SAMPLE_TEMPLATE.disk, swap: 512 * 2 ** 20 },
        packages: ['htop', 'curl=8.0'],
        users: [
          { ...USER, comment: 'Dora, of Operations', passwordHash: { secret: 'dora', fingerprint: 'x' } },
          { ...USER, name: 'special', uid: 1234 },
        ],
        system: { ...SAMPLE_TEMPLATE.system, hostname: 'web1.example.net', locale: 'de_CH.UTF-8', keymap: 'ch', timezone: 'Europe/Zurich' },
      },
      RELEASE,
      { passwordHashes: new Map([['dora', '$6$a$b']]), mirror: 'http://mirror.example.net/debian/' },
    );
    expect(facts).toMatchObject({
      hostname: 'web1.example.net',
      locale: 'de_CH.UTF-8',
      keyboard: 'ch',
      timezone: 'Europe/Zurich',
      disk: { firmware: 'uefi', swap: 512 },
      packages: ['htop'],
      users: [{ name: 'deploy', fullName: 'Dora  of Operations', passwordHash: '$6$a$b', sshKeys: ['ssh-ed25519 AAAA me'], sudo: true }],
      mirror: 'http://mirror.example.net/debian',
    });
    expect(facts.users).toHaveLength(1);
  });

  test.each([
    ['install-disk-unsupported', { ...SAMPLE_TEMPLATE, disk: { ...SAMPLE_TEMPLATE.disk, lvm: true } }],
    ['install-hash-missing', { ...SAMPLE_TEMPLATE, users: [{ ...USER, passwordHash: { secret: 'dora', fingerprint: 'x' } }] }],
  ])('%s', (code, template) => {
    expect(() => installFacts(template, RELEASE)).toThrow(expect.objectContaining({ code }));
  });
});
