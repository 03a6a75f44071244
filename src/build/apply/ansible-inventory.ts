import * as z from 'zod';

const playsSchema = z.array(z.looseObject({ hosts: z.union([z.string(), z.array(z.string())]).optional() }));
/** A group's name; patterns with wildcards, variables or slices name none. */
const GROUP = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const NOT_GROUPS = ['all', 'ungrouped', 'localhost'];

/** The groups that the plays of a playbook are for: the image is in each of them. A playbook that is no YAML names none, and ansible says what is wrong. */
export async function groupsOf(playbook: string): Promise<string[]> {
  const { parse } = await import('yaml');
  const plays = playsSchema.safeParse(parsed(() => parse(playbook, { logLevel: 'silent' })));
  if (!plays.success) return [];
  const words = plays.data.flatMap(({ hosts = [] }) => (typeof hosts === 'string' ? hosts.split(/[,:]/) : hosts));
  const names = words.map((word) => word.trim().replace(/^[&!]/, ''));
  return [...new Set(names.filter((name) => GROUP.test(name) && !NOT_GROUPS.includes(name)))].toSorted();
}

function parsed(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** One host, which is the image, whatever a play calls it. */
export function inventory(groups: readonly string[], python: string): object {
  return {
    all: {
      hosts: { localhost: { ansible_user: 'root', ansible_python_interpreter: python } },
      children: Object.fromEntries(groups.map((group) => [group, { hosts: { localhost: {} } }])),
    },
  };
}
