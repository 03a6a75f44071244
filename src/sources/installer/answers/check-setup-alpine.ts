import type { AnswerProblem } from './answer-files.ts';
import { assignmentFaults, readAssignments } from './assignments.ts';
import { asks, inOrder, unknownWord } from './check-helpers.ts';

/** Variables that setup-alpine asks for where they are missing, and what to write. */
const ASKED: Readonly<Record<string, string>> = {
  KEYMAPOPTS: 'us us',
  HOSTNAMEOPTS: 'alpine',
  INTERFACESOPTS: 'auto eth0, iface eth0 inet dhcp',
  TIMEZONEOPTS: '-z UTC',
  PROXYOPTS: 'none',
  APKREPOSOPTS: '-1',
  USEROPTS: 'none',
  SSHDOPTS: 'openssh',
  NTPOPTS: 'busybox',
  DISKOPTS: '-m sys /dev/vda',
};
const OTHERS = [
  'DEVDOPTS', 'WIFIOPTS', 'DNSOPTS', 'USERSSHKEY', 'ROOTSSHKEY', 'LBUOPTS', 'APKCACHEOPTS', 'XENDOM0OPTS', 'ERASE_DISKS', 'ROOTFS', 'BOOTFS', 'VARFS', 'USE_EFI',
  'BOOTLOADER', 'DISKLABEL', 'KERNELOPTS', 'BOOT_SIZE', 'SWAP_SIZE', 'INGOT_PACKAGES',
]; // prettier-ignore
const KNOWN = [...Object.keys(ASKED), ...OTHERS];

/** Faults of an answer file of setup-alpine. Pure. */
export function checkSetupAlpine(text: string): AnswerProblem[] {
  const said = readAssignments(text);
  const problems: AnswerProblem[] = assignmentFaults(text).map((fault) => ({ class: 'syntax' as const, ...fault }));
  for (const [name, { line }] of said)
    if (/^[A-Z]+(OPTS|KEY)$/.test(name) && !KNOWN.includes(name)) problems.push(unknownWord('the variable', name, KNOWN, { line, column: 1 }));
  for (const [name, example] of Object.entries(ASKED)) {
    if (!said.has(name)) problems.push(asks(`there is no ${name}`, `For example ${name}="${example}".`));
  }
  const [disk, keymap, erase] = [said.get('DISKOPTS'), said.get('KEYMAPOPTS'), said.get('ERASE_DISKS')];
  const place = (found: { readonly line: number } | undefined): { line: number; column: number } => ({ line: found?.line ?? 1, column: 1 });
  if (disk !== undefined && disk.value !== 'none') {
    if (!/(^|\s)-m\s+\S/.test(disk.value)) problems.push(asks('DISKOPTS does not say how the disk is used', 'Write -m sys.', place(disk)));
    if (!/(^|\s)(\/dev\/|\$)\S+\s*$/.test(disk.value)) problems.push(asks('DISKOPTS names no disk', 'Write a device at its end: /dev/vda.', place(disk)));
    if (erase === undefined) problems.push(asks('setup-disk asks before it erases', 'Write export ERASE_DISKS="/dev/vda".', place(disk)));
  }
  if (keymap !== undefined && keymap.value !== 'none' && !/^\S+\s+\S+$/.test(keymap.value.trim()))
    problems.push(asks('KEYMAPOPTS names no variant', 'Write layout and variant: us us.', place(keymap)));
  return inOrder(problems);
}
