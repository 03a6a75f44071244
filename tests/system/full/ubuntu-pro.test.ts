import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { debian } from '../../../src/families/debian/family.ts';
import { hostUserland, missingPrograms, openFamilyRoot, type FamilyRoot } from '../../support/family-root.ts';
import { buildDeb } from '../../support/stand-in-deb.ts';
import { standIn, type StandIn } from '../../support/stand-in.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const reason = whyNot() ?? missingPrograms(['apt-get', 'dpkg', 'dpkg-deb', 'gpg']);

const TOKEN = 'C1rightTokenOfASubscription';
const PRO = { token: { secret: 'pro-token', fingerprint: 'f'.repeat(64) }, services: ['esm-infra', 'esm-apps'] };

/**
 * Stands for pro(1): attaches by a file that it reads, with one token alone, and brings a repository; leaves behind what the real one does. It notes what
 * it was called with, so that a token on its command line would be seen.
 */
const pro = (url: string): string => `#!/bin/sh
echo "$*" >>/var/lib/pro-calls
state=/var/lib/ubuntu-advantage
case "$1" in
  attach)
    [ "$2" = --attach-config ] || { echo 'only with a file' >&2; exit 2; }
    stat -c %a "$3" >>/var/lib/pro-calls
    stat -f -c %T "$3" >>/var/lib/pro-calls
    grep -qx 'token: ${TOKEN}' "$3" || { echo 'Invalid token. See https://ubuntu.com/pro/dashboard' >&2; exit 1; }
    sed -n 's/^  - //p' "$3" >>/var/lib/pro-calls
    mkdir -p $state/private /etc/apt/auth.conf.d
    echo '{"machineToken":"secret-of-the-machine"}' >$state/private/machine-token.json
    echo 4f1d >$state/machine-id
    echo '{}' >$state/status.json
    echo 'machine esm.ubuntu.com login bearer password secret-of-the-machine' >/etc/apt/auth.conf.d/90ubuntu-advantage
    echo 'deb [signed-by=/etc/esm.asc] ${url} stable main' >/etc/apt/sources.list.d/ubuntu-esm-infra.list
    ;;
  detach)
    [ -e $state/private/machine-token.json ] || { echo 'This machine is not attached' >&2; exit 1; }
    [ ! -e /etc/no-detach ] || { echo 'the server does not answer' >&2; exit 1; }
    rm $state/private/machine-token.json /etc/apt/auth.conf.d/90ubuntu-advantage
    ;;
esac
`;

describe.skipIf(reason !== undefined)(`Ubuntu Pro, with a stand-in for pro${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let at: StandIn;
  let inside: FamilyRoot;

  /** What a change does: its commands, in a root where its packages are. */
  const attach = async (token: string): Promise<void> => {
    await inside.shell(': >/var/lib/pro-calls');
    for (const command of debian.ubuntuPro?.(PRO).commands ?? [])
      await inside.run([command], { network: command.network === true, secrets: { 'pro-token': token } });
  };
  const left = async (): Promise<string> =>
    await inside.shell(
      'find / -xdev ! -path "/proc/*" ! -path "/usr/*" \\( -path "*ubuntu-*" -o -name "*ingot-pro*" \\) ! -type d; grep -rl secret-of-the-machine /etc /var/lib /var/log /root || true',
    );

  beforeAll(async () => {
    home = await TestHome.make();
    at = await standIn({ repositories: [{ name: 'esm', packages: [{ name: 'library', version: '1.0-1+esm2' }] }] });
    const old = await buildDeb({ name: 'library', version: '1.0-1' });
    inside = await openFamilyRoot(await home.context(), async (executor, folder) => {
      await hostUserland(executor, folder);
      const script = String.raw`
cd "$1"
mkdir -p var/lib/dpkg/info var/lib/dpkg/updates var/lib/apt/lists/partial var/cache/apt/archives/partial etc/apt/sources.list.d etc/apt/preferences.d etc/apt/apt.conf.d usr/local/bin
: >var/lib/dpkg/status
: >var/lib/dpkg/available
echo 'APT::Sandbox::User "root";' >etc/apt/apt.conf.d/50-test
base64 -d >library.deb
`;
      await executor.run(['sh', '-ec', script, 'sh', folder], { stdin: old.content.toString('base64') });
    });
    await inside.root.writeFiles([
      { path: '/usr/local/bin/pro', content: pro(at.repositories[0]?.uri ?? ''), mode: '0755' },
      { path: '/etc/esm.asc', content: at.key, mode: '0644' },
    ]);
    await inside.shell('dpkg --install /library.deb; rm /library.deb');
  });

  afterAll(async () => {
    await inside[Symbol.asyncDispose]();
    await at[Symbol.asyncDispose]();
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  const version = (): Promise<string> => inside.shell("dpkg-query -W -f '$'{Version} library");

  test('a wrong token is said, and leaves the image as it was', async () => {
    for (const [token, message] of [
      ['C1wrong', 'Invalid token'],
      ['two words', 'holds no token'],
      ['', 'holds no token'],
    ] as const) {
      const error: unknown = await attach(token).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'command-failed' });
      expect(String(Object(error).detail).trim().split('\n').at(-1)).toContain(message);
      expect([await left(), await version()]).toEqual(['', '1.0-1']);
    }
  });

  test('updates of the subscription come in; the token is in no command line and on no disk, and nothing stays', async () => {
    await attach(`${TOKEN}\n`);
    expect(await version()).toBe('1.0-1+esm2');
    expect(await inside.shell('cat /var/lib/pro-calls')).toBe(
      'attach --attach-config /run/ingot-pro.yaml\n600\ntmpfs\nesm-infra\nesm-apps\ndetach --assume-yes\n',
    );
    expect(await left()).toBe('');
    expect(JSON.stringify(debian.ubuntuPro?.(PRO))).not.toContain(TOKEN);
    expect(inside.output.join('')).not.toContain(TOKEN);
  });

  test('where detaching fails the build fails, and no key of the machine stays either way', async () => {
    await inside.shell(': >/etc/no-detach');
    const error: unknown = await attach(TOKEN).catch((thrown: unknown) => thrown);
    expect(String(Object(error).detail).trim().split('\n').at(-1)).toBe('Ubuntu Pro could not be detached: remove the machine in your dashboard.');
    expect(await left()).toBe('');
    await inside.shell('rm /etc/no-detach');
  });

  test('where the updates fail it is detached all the same', async () => {
    await inside.shell("echo 'deb [signed-by=/etc/esm.asc] http://127.0.0.1:9/nothing stable main' >/etc/apt/sources.list.d/broken.list");
    await expect(attach(TOKEN)).rejects.toMatchObject({ code: 'command-failed' });
    expect(await inside.shell('tail -n 1 /var/lib/pro-calls')).toBe('detach --assume-yes\n');
    expect(await left()).toBe('');
  });
});
