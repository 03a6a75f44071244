import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { hostProcesses } from '../../src/base/process.ts';
import { hardenedRules, rulesTable, SETTING_KINDS } from '../support/hardened-rules.ts';

const FOLDER = fileURLToPath(new URL('../../catalog/roles/hardened/', import.meta.url));
const file = async (name: string): Promise<string> => await readFile(`${FOLDER}${name}`, 'utf8');

describe('the rules of the role hardened', () => {
  test('each has a level, a topic, a sentence, and settings of known kinds', async () => {
    const rules = await hardenedRules();
    expect(rules.length).toBeGreaterThan(60);
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    for (const { id, level, cis, says, settings } of rules) {
      expect(id).toMatch(/^[a-z0-9-]+$/);
      expect([1, 2], id).toContain(level);
      expect(cis, id).toMatch(/^\d/);
      expect(says, id).toMatch(/^\S.*[^.]$/);
      expect(settings.length, id).toBeGreaterThan(0);
      for (const { kind } of settings) expect(SETTING_KINDS, `${id}: ${kind}`).toContain(kind);
    }
  });

  test('what one needs comes before it', async () => {
    const seen = new Set<string>();
    for (const { id, needs } of await hardenedRules()) {
      if (needs !== undefined) expect(seen, id).toContain(needs);
      seen.add(id);
    }
  });

  test('every function that one names is there', async () => {
    const shell = await file('files/special.sh');
    for (const { settings } of await hardenedRules()) {
      for (const { kind, rest } of settings) {
        if (kind === 'do') expect(shell).toContain(`\napply_${rest}() {`);
        if (kind === 'do' || kind === 'check') expect(shell).toContain(`\ncheck_${rest}() {`);
      }
    }
  });

  test('are those that the parameters take', async () => {
    const ids = (await hardenedRules()).map(({ id }) => id);
    expect(parse(await file('role.yaml'))).toMatchObject({ parameters: { rules: { values: ['all', ...ids] }, skip: { values: ids } } });
  });

  test("are the README's table; -u writes it", async () => {
    const [readme, table] = [await file('README.md'), rulesTable(await hardenedRules())];
    const written = readme.replace(/(?<=<!-- rules -->\n\n)[\s\S]*(?=<!-- end of rules -->)/, () => `${table}\n`);
    expect(written).toContain(table);
    await expect(written).toMatchFileSnapshot(`${FOLDER}README.md`);
  });
});

describe('ingot-hardened', () => {
  test('is POSIX sh', async () => {
    for (const name of ['ingot-hardened', 'special.sh']) await hostProcesses.run(['sh', '-n', `${FOLDER}files/${name}`]);
  });

  const compare = async (facts: readonly string[], settings: readonly string[]): Promise<string[]> => {
    const script =
      'printf %s "$FACTS" >"$0/facts" && printf %s "$SETTINGS" >"$0/settings" && awk -F "\\t" -v x86=x86_64 -v own=/own -f "$1" "$0/facts" "$0/settings"';
    const run = `folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && sh -c '${script}' "$folder" "$COMPARE"`;
    const { stdout } = await hostProcesses.run(['sh', '-c', run], {
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        COMPARE: `${FOLDER}files/compare.awk`,
        FACTS: facts.map((line) => `${line}\n`).join(''),
        SETTINGS: settings.map((line) => `${line}\n`).join(''),
      },
    });
    return stdout.split('\n').filter((line) => line !== '');
  };

  test('finds what differs from a rule', async () => {
    const facts = [
      'sshd\tpasswordauthentication yes',
      'sshd\tpermitrootlogin no',
      'sysctl\tkernel.sysrq\t438',
      'sysctl\tkernel.kptr_restrict\t2',
      'modprobe\tinstall cramfs /usr/bin/false',
      'loaded\tusb_storage',
      'mount\t/tmp\trw,nosuid',
      'stat\t/etc/passwd\t664\troot:root',
      'stat\t/etc/shadow\t600\troot:root',
      'unit\tauditd.service\tinactive',
      'package\tinstalled\ttelnet',
      'package\tdeinstall\tnis',
      'text\t/etc/login.defs\tUMASK\t\t022',
      'text\t/etc/a.conf\t# b = 1',
      'text\t/etc/cron.allow\troot',
      'text\t/own\t-w /etc/passwd -p wa -k identity',
      'text\t/own\t-w /etc/group -p wa -k identity',
      'audit\t-w /etc/passwd -p wa -k identity',
    ];
    const wrong = await compare(facts, [
      'a sshd PasswordAuthentication no',
      'b sshd PermitRootLogin no',
      'c sysctl kernel.sysrq 0',
      'd sysctl kernel.kptr_restrict 1',
      'e sysctl kernel.that_is_not_there 1',
      'f module cramfs',
      'g module usb-storage',
      'h mount /tmp mode=1777,nosuid,nodev',
      'i mode /etc/passwd 0644 root:root',
      'j mode /etc/shadow 0640 root:shadow',
      'k mode /etc/that-is-not-there 0600 root:root',
      'l unit auditd.service enabled',
      'm nopackage telnet',
      'n nopackage nis',
      'o conf /etc/login.defs space UMASK 027',
      'p conf /etc/a.conf = b 1',
      'q line /etc/cron.allow root',
      'r line /etc/at.allow root',
      's audit -w /etc/passwd -p wa -k identity',
    ]);
    expect(wrong).toEqual([
      'a\tsshd has passwordauthentication yes, not no',
      'c\tkernel.sysrq is 438, not 0',
      'g\tusb-storage can be loaded',
      'g\tusb-storage is loaded',
      'h\t/tmp is mounted without nodev',
      'i\t/etc/passwd has mode 664, more than 0644',
      'l\tauditd.service is inactive',
      'm\ttelnet is installed',
      'o\tUMASK in /etc/login.defs is 022, not 027',
      'p\tb in /etc/a.conf is not set, not 1',
      'r\t/etc/at.allow lacks: root',
      's\tthe kernel has 1 audit rules for identity, not 2',
    ]);
  });

  /** Ids of the rules that a selection takes. */
  const selected = async (selection: string): Promise<string[]> => {
    const run = 'file=$(mktemp) && trap \'rm -f "$file"\' EXIT && printf %s "$SELECTION" >"$file" && INGOT_HARDENED_SELECTION=$file sh "$PROGRAM" list';
    const { stdout } = await hostProcesses.run(['sh', '-c', run], {
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', SELECTION: selection, PROGRAM: `${FOLDER}files/ingot-hardened`, INGOT_HARDENED: `${FOLDER}files` },
    });
    return stdout.split('\n').flatMap((line) => /^(\S+) +\d +yes /.exec(line)?.[1] ?? []);
  };

  test('takes the rules of a level, what is named, and nothing that is skipped or needs what is', async () => {
    const rules = (await hardenedRules()).filter(({ families }) => families.length === 0);
    const takes = async (selection: string): Promise<string[]> => {
      const taken = await selected(selection);
      return rules.map(({ id }) => id).filter((id) => taken.includes(id));
    };
    const first = rules.filter(({ level }) => level === 1).map(({ id }) => id);
    expect(await takes('level: 1\nrules:\n  - all\nskip: []\n')).toEqual(first);
    expect(await takes('level: 2\nrules: [ all ]\nskip: []\n')).toEqual(rules.map(({ id }) => id));
    expect(await takes('level: 1\nrules:\n  - all\nskip:\n  - audit\n  - firewall\n')).toEqual(first.filter((id) => !/^(audit|firewall)/.test(id)));
    expect(await takes('level: 1\nrules:\n  - sshd-no-passwords\n  - kernel-replace\nskip: []\n')).toEqual(['kernel-replace', 'sshd-no-passwords']);
    expect(await takes('level: 1\nrules:\n  - audit-time\nskip: []\n')).toEqual([]);
  }, 60_000);
});
