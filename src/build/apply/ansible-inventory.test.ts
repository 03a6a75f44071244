import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupsOf, inventory } from './ansible-inventory.ts';

describe('groupsOf', () => {
  test('names every group that a play is for', async () => {
    const playbook = '- hosts: web:&db\n  tasks: []\n- hosts: [cache, all]\n- hosts: localhost\n- import_playbook: other.yml\n';
    expect(await groupsOf(playbook)).toEqual(['cache', 'db', 'web']);
  });

  test('takes no pattern and no variable for a name', async () => {
    expect(await groupsOf('- hosts: "web*"\n- hosts: "{{ target }}"\n- hosts: web[0]\n')).toEqual([]);
  });

  test('leaves it to ansible to say what is wrong with a playbook', async () => {
    expect(await groupsOf('- hosts: [')).toEqual([]);
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect(Array.isArray(await groupsOf(text))).toBe(true);
      }),
    );
  });
});

test('the image is the only host, in every group', () => {
  const host = { ansible_user: 'root', ansible_python_interpreter: '/usr/bin/python3' };
  expect(inventory(['web'], '/usr/bin/python3')).toEqual({
    all: { hosts: { localhost: host }, children: { web: { hosts: { localhost: {} } } } },
  });
});
