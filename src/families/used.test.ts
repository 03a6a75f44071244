import { expect, test } from 'vitest';
import { FAMILIES } from '../catalog/families.ts';
import { familyOf } from './families.ts';
import { usedSeal } from './used.ts';

test.each(FAMILIES.map((name) => [name]))('%s: a used machine loses all that a boot leaves, and what people leave', (name) => {
  const family = familyOf(name);
  const { seal, last } = usedSeal(family);
  expect(seal.remove).toEqual(expect.arrayContaining([...family.seal.booted.remove, 'root/.bash_history', 'home/*/.bash_history', 'var/log/journal/*']));
  expect([seal.emptyFolders, seal.truncate]).toEqual([family.seal.booted.emptyFolders, family.seal.booted.truncate]);
  // Patterns are relative to the root, and are parted at spaces.
  expect(seal.remove.filter((pattern) => /^\/|\s|(^|\/)\.\.(\/|$)/.test(pattern))).toEqual([]);
  const own = [...family.labels(), ...family.seal.commands];
  expect(last.slice(0, own.length)).toEqual(own);
  // Whether one may log in by password is said anew to each machine.
  expect(seal.remove).toContain('etc/ssh/sshd_config.d/50-cloud-init.conf');
});
