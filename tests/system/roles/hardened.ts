import type { RoleCase } from './case.ts';

/** Wrong passwords until the account waits, then the right one: all through sudo, which asks PAM and needs no terminal. */
const LOCKOUT = `
set -u
useradd --create-home --shell /bin/sh ingot-guess
password=Aa$(head -c 12 /dev/urandom | od -An -tx1 | tr ' ' - | tr -d '\\n')
echo "ingot-guess:$password" | chpasswd
echo 'ingot-guess ALL=(root) /usr/bin/true' > /etc/sudoers.d/99-guess
ask() { echo "$1" | runuser -u ingot-guess -- sudo -k -S -p '' true >/dev/null 2>&1 && echo taken || echo refused; }
echo "before: $(ask "$password")"
for try in 1 2 3 4 5; do ask wrong >/dev/null; done
echo "locked: $(ask "$password")"
faillock --user ingot-guess --reset
echo "after: $(ask "$password")"
rm /etc/sudoers.d/99-guess
userdel --remove ingot-guess
`;

export const cases: readonly RoleCase[] = [
  {
    role: 'hardened',
    template: { tests: [{ name: 'an account waits after wrong passwords', command: LOCKOUT, contains: 'before: taken\nlocked: refused\nafter: taken' }] },
  },
  {
    role: 'hardened',
    variant: 'level 2 beside a web server',
    parameters: { level: 2, 'open-ports': ['443/tcp', '8000-8010/udp'] },
    with: ['webserver'],
    releases: ['debian-13'],
    template: {
      tests: [
        {
          name: 'ports of other roles are open',
          command: "nft get element inet filter open_tcp '{ 80, 443 }' && nft get element inet filter open_udp '{ 8005 }'",
        },
        {
          name: 'a selected rule that does not hold is told',
          command: 'sysctl -q kernel.sysrq=1; ingot-hardened verify kernel-keys',
          'exit-code': 1,
          contains: 'fail kernel-keys',
        },
      ],
    },
  },
  {
    role: 'hardened',
    variant: 'three rules',
    parameters: { rules: ['sshd-no-passwords', 'sshd-no-root', 'firewall'] },
    releases: ['debian-13'],
    template: {
      tests: [
        { name: 'nothing else is set', command: 'ls /etc/sysctl.d/60-ingot-hardened.conf', 'exit-code': 2 },
        { service: 'auditd', state: 'stopped' },
      ],
    },
  },
];
