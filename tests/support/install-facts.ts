import fc from 'fast-check';
import type { AnswerKind } from '../../src/sources/installer/answers/answer-files.ts';
import type { InstallFacts, InstallRelease } from '../../src/sources/installer/answers/facts.ts';

/** One release of each kind of installer, and what its answers are called in tests/golden/answers. */
export const RELEASES: readonly { readonly kind: AnswerKind; readonly release: InstallRelease }[] = [
  { kind: 'preseed', release: { distribution: 'debian', version: '12', codename: 'bookworm', architecture: 'amd64' } },
  { kind: 'autoinstall', release: { distribution: 'ubuntu', version: '24.04', codename: 'noble', architecture: 'amd64' } },
  { kind: 'kickstart', release: { distribution: 'almalinux', version: '9', architecture: 'amd64' } },
  { kind: 'kickstart', release: { distribution: 'fedora', version: '43', architecture: 'amd64' } },
  { kind: 'autoyast', release: { distribution: 'opensuse-leap', version: '15.6', architecture: 'amd64' } },
  { kind: 'agama', release: { distribution: 'sles', version: '16.0', architecture: 'amd64' } },
  { kind: 'archinstall', release: { distribution: 'arch', version: 'rolling', architecture: 'amd64' } },
  { kind: 'setup-alpine', release: { distribution: 'alpine', version: '3.22', architecture: 'amd64' } },
];

/** Facts with something of everything that each kind can say. */
export function sampleFacts(release: InstallRelease): InstallFacts {
  return {
    release,
    hostname: 'web1.example.net',
    locale: 'de_CH.UTF-8',
    keyboard: 'ch',
    timezone: 'Europe/Zurich',
    disk: { device: '/dev/vda', firmware: 'uefi', filesystem: 'ext4', swap: 512 },
    users: [
      {
        name: 'deploy',
        fullName: "Dora O'Neill & <Sons>",
        passwordHash: '$6$ingot.example$vJCvOQpCL8pz0rm3mF8yKX1jKJ4HZ0oPYdH4tFhAqWvQ0e0uJrYy2Ltc0o6tXnZC5bA1Sg8dHMWc9K3fUe7Qm/',
        sshKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampl dora@example.net'],
        sudo: true,
      },
      { name: 'metrics', sshKeys: [], sudo: false },
    ],
    packages: ['htop', 'rsync'],
    network: { kind: 'dhcp' },
    mirror: 'http://mirror.example.net/pub/distribution',
    lateCommands: [{ argv: ['systemctl', 'enable', 'fstrim.timer'] }, { shell: 'echo "built $(date)" > /etc/motd\necho \'done\' >> /etc/motd' }],
    finish: 'poweroff',
  };
}

const oneLine = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replaceAll(/[\p{C}\u2028\u2029]/gu, ''));
/** What breaks formats: ends of sections and of CDATA, comments, quotes of all kinds, variables, entities. */
const nasty = fc.constantFrom(
  '%end',
  ']]>',
  '<!--',
  '-->',
  '#',
  '"',
  "'",
  '\\',
  '\\\n',
  '$(id)',
  '`id`',
  '${x}',
  '&amp;',
  '&',
  '<a>',
  '\t',
  ' ',
  '\n',
  '%',
  'EOF',
  '|',
  ': ',
  '- ',
  '{{ x }}',
  '# The facts.',
  '# End of the facts.',
  '"$nl"',
  '*',
  '!',
  '~',
  'é',
  '😀',
  'd-i x/y string z',
);
const text = fc
  .array(fc.oneof(nasty, oneLine, fc.constant('\n')), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(''))
  .filter((whole) => whole !== '');
const shellText = text.filter((whole) => whole.length > 0);
const word = (first: string, rest: string, length: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[${first}][${rest}]{0,${length}}$`));
const hash = fc.stringMatching(/^\$[A-Za-z0-9./$=,+_-]{1,100}$/);
const userName = word('a-z_', 'a-z0-9_-', 20).filter((name) => name !== 'root');
const fullName = fc
  .array(fc.oneof(nasty, oneLine), { minLength: 1, maxLength: 4 })
  .map((parts) =>
    parts
      .join('')
      .replaceAll(/[:,\n\t]/g, '')
      .trim(),
  )
  .filter((name) => name !== '');
const key = fc
  .array(fc.oneof(nasty, oneLine), { minLength: 1, maxLength: 4 })
  .map((parts) =>
    parts
      .join('')
      .replaceAll(/[\n\t]/g, '')
      .trim(),
  )
  .filter((line) => line !== '');
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));

/** What a kind cannot say is left out. */
export function anyFacts(kind: AnswerKind, release: InstallRelease): fc.Arbitrary<InstallFacts> {
  const subscriptions: fc.Arbitrary<InstallFacts['subscription']> =
    kind === 'autoyast' || kind === 'agama'
      ? fc.record({ kind: fc.constant('suse' as const), registrationCode: word('A-Z', 'A-Z0-9-', 20), email: fc.constantFrom(undefined, 'me@example.net') })
      : kind === 'autoinstall'
        ? fc.record({ kind: fc.constant('product-key' as const), key: fc.stringMatching(/^C[1-9A-HJ-NP-Za-km-z]{23,29}$/) })
        : release.distribution === 'rhel'
          ? fc.record({ kind: fc.constant('redhat' as const), organization: fc.stringMatching(/^[0-9]{7}$/), activationKey: word('A-Za-z', 'A-Za-z0-9_-', 20) })
          : fc.constant(undefined);
  const static4 = fc.record({
    kind: fc.constant('static' as const),
    address: fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 })).map(([ip, prefix]) => `${ip}/${prefix}`),
    gateway: fc.ipV4(),
    nameservers: fc.array(fc.ipV4(), { minLength: 1, maxLength: 3 }),
  });
  return fc
    .record({
      release: fc.constant(release),
      hostname: host,
      locale: fc.constantFrom('en_US.UTF-8', 'C.UTF-8', 'de_DE', 'ca_ES.UTF-8@valencia'),
      keyboard: word('a-z0-9', 'a-z0-9-', 8),
      timezone: fc.constantFrom('UTC', 'Europe/Zurich', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'),
      disk: fc.record({
        device: fc.constantFrom('first', '/dev/vda', '/dev/nvme0n1', '/dev/disk/by-id/virtio-a_b.c:1'),
        firmware: fc.constantFrom('bios' as const, 'uefi' as const),
        filesystem: fc.constantFrom('ext4' as const, 'xfs' as const, ...(kind === 'kickstart' && release.distribution !== 'fedora' ? [] : ['btrfs' as const])),
        swap: fc.option(fc.integer({ min: 16, max: 65_536 }), { nil: undefined }),
      }),
      users: fc.uniqueArray(
        fc.record({
          name: userName,
          fullName: fc.option(fullName, { nil: undefined }),
          passwordHash: fc.option(hash, { nil: undefined }),
          sshKeys: fc.array(key, { maxLength: 3 }),
          sudo: fc.boolean(),
        }),
        { selector: ({ name }) => name, maxLength: 3 },
      ),
      rootPasswordHash: fc.option(hash, { nil: undefined }),
      packages: fc.array(word('A-Za-z0-9', 'A-Za-z0-9.+_-', 12), { maxLength: 5 }),
      network: fc.oneof(fc.constant({ kind: 'dhcp' as const }), static4),
      mirror: fc.option(
        fc
          .tuple(host, fc.array(word('A-Za-z0-9~', 'A-Za-z0-9._~%+,@=-', 6), { maxLength: 3 }))
          .map(([name, path]) => `http://m.${name}.test`.concat(...path.map((part) => `/${part}`))),
        { nil: undefined },
      ),
      proxy: fc.option(fc.constantFrom('http://proxy.example.net:3128', 'http://user:p%40ss@10.0.0.1:8080/'), { nil: undefined }),
      subscription: subscriptions,
      lateCommands: fc.array(fc.oneof(fc.record({ argv: fc.array(text, { minLength: 1, maxLength: 4 }) }), fc.record({ shell: shellText })), { maxLength: 4 }),
      finish: fc.constant('poweroff' as const),
    })
    .map((facts): InstallFacts => {
      const { proxy, subscription, rootPasswordHash, ...rest } = facts;
      const { swap, ...disk } = rest.disk;
      return {
        ...rest,
        disk: { ...disk, ...(swap === undefined ? {} : { swap }) },
        ...(rootPasswordHash === undefined ? {} : { rootPasswordHash }),
        // Anaconda has a proxy only beside a mirror.
        ...(proxy === undefined || (kind === 'kickstart' && facts.mirror === undefined) ? {} : { proxy }),
        ...(subscription === undefined ? {} : { subscription }),
      };
    });
}
