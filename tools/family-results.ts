/* What of each family's operations was run for real by the system tests, and the page of the reference that says so. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import * as z from 'zod';
import { FAMILIES, type FamilyName } from '../src/catalog/families.ts';
import { familyOf } from '../src/families/families.ts';

const SOURCES = join(import.meta.dirname, '..', 'src', 'families');

/** What a family does, as the tests name it. */
export const FAMILY_OPERATIONS = {
  install: 'Install packages',
  remove: 'Remove packages',
  update: 'Update all packages',
  'security-updates': 'Install security updates alone',
  repositories: 'Further repositories, with their keys',
  'refuse-unsigned': 'Refuse what is not signed',
  'refuse-wrong-key': 'Refuse what another key signed',
  'report-broken': 'Report a repository that is gone or damaged',
  bootstrap: 'Packages into an empty root',
  services: 'Services: enabled, disabled, masked',
  users: 'Accounts, SSH keys, sudo',
  hostname: 'Host name',
  localization: 'Time zone, locale, keyboard',
  sshd: 'SSH server',
  ntp: 'Time servers',
  'automatic-updates': 'Automatic updates',
  certificates: 'Trusted certificate authorities',
  proxy: 'Proxies',
  network: 'Network',
  firewall: 'Open ports',
  kernel: 'Kernel modules and parameters',
  boot: 'Initramfs and kernel arguments',
  labels: 'SELinux labels and mode',
  seal: 'Seal',
} as const;
export type FamilyOperation = keyof typeof FAMILY_OPERATIONS;

const resultsSchema = z.strictObject({
  code: z.string().describe('Hash of the code that ran: what changed since has not been run'),
  ran: z.partialRecord(z.enum(Object.keys(FAMILY_OPERATIONS)), z.string().describe('With what program and version')),
});
export type FamilyResults = z.output<typeof resultsSchema>;

export const resultsFile = (family: FamilyName): string => join(SOURCES, family, 'ran.json');

/** What ran at the last test, or undefined where none did. */
export function readResults(family: FamilyName): FamilyResults | undefined {
  const file = resultsFile(family);
  return existsSync(file) ? resultsSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}

/** The hash of a family's code: its family.ts and all of src/families that this imports. Types alone change nothing that runs. */
export function codeOf(family: FamilyName): string {
  const files = new Set<string>();
  const add = (file: string): void => {
    if (files.has(file) || relative(SOURCES, file).startsWith('..')) return;
    files.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, target = ''] of text.matchAll(/^(?:import|export) (?!type )[^;]*? from '(\.[^']+)';/gm)) add(resolve(dirname(file), target));
  };
  add(join(SOURCES, family, 'family.ts'));
  const hash = createHash('sha256');
  for (const file of [...files].toSorted()) {
    hash
      .update(`${relative(SOURCES, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

/** docs/reference/families.md. */
export function familiesPage(note: string): string {
  // Debian's code is run by all other system tests.
  const families = FAMILIES.filter((family) => family !== 'debian');
  const results = families.map((family) => ({ family, results: readResults(family), code: codeOf(family) }));
  const cell = (operation: FamilyOperation, { family, results: found, code }: (typeof results)[number]): string => {
    const { selinux, securityUpdates } = familyOf(family).traits;
    if ((operation === 'labels' && !selinux) || (operation === 'security-updates' && !securityUpdates)) return 'not there';
    const ran = found?.ran[operation];
    if (ran === undefined) return 'static';
    return found?.code === code ? `**ran**: ${ran}` : `ran before a change: ${ran}`;
  };
  const rows = Object.entries(FAMILY_OPERATIONS).map(([name, title]) => [title, ...results.map((each) => cell(name as FamilyOperation, each))]);
  return [
    note,
    '# Families: what was run for real',
    [
      '**ran**: the system tests (`tests/system/full/family-*.test.ts`) have run the very commands that ingot issues, by the real programs named here, in a root',
      'that the tests built, with packages that they made. *static*: the commands are compared with what they should be by unit tests, and nothing more.',
      'Debian is not in the table: all other system tests build and boot images of it.',
    ].join(' '),
    [['Operation', ...families], ['---', ...families.map(() => '---')], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}
