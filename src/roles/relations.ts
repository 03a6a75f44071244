import type { RoleHead } from './schema.ts';

type Related = Pick<RoleHead, 'role' | 'conflicts' | 'requires'>;

export interface RelationProblem {
  /** Of the template's roles, the one that it is told of. */
  readonly role: string;
  readonly message: string;
  readonly hint?: string;
}

/** What is wrong with roles in one image: two that cannot be together, one that lacks another. `below` are those of the image that it starts from. */
export function relationProblems(roles: readonly Related[], below: readonly string[]): RelationProblem[] {
  const names = [...below, ...roles.map(({ role }) => role)];
  return roles.flatMap((one, i) => [
    ...roles
      .slice(0, i)
      .filter((other) => one.conflicts.includes(other.role) || other.conflicts.includes(one.role))
      .map((other) => ({ role: one.role, message: `the role ${one.role} cannot be in the same image as ${other.role}` })),
    ...below
      .filter((other) => one.conflicts.includes(other))
      .map((other) => ({ role: one.role, message: `the role ${one.role} cannot be in the same image as ${other}, which the image below has` })),
    ...one.requires
      .map((choice) => (typeof choice === 'string' ? [choice] : choice))
      .filter((choice) => !choice.some((name) => names.includes(name)))
      .map((choice) => ({
        role: one.role,
        message: `the role ${one.role} needs the role ${choice.join(' or ')}`,
        hint: `Add it: roles: [${choice[0] ?? ''}, ${one.role}].`,
      })),
  ]);
}

/** Names of the roles as their layers are stacked: as they are named, but what a role requires comes before it. A circle is broken where it was entered. */
export function inOrder(roles: readonly Related[]): string[] {
  const ordered = new Set<string>();
  const open = new Set<string>();
  const visit = (one: Related): void => {
    if (ordered.has(one.role) || open.has(one.role)) return;
    open.add(one.role);
    const required = new Set(one.requires.flat());
    for (const other of roles) if (required.has(other.role)) visit(other);
    ordered.add(one.role);
  };
  for (const one of roles) visit(one);
  return [...ordered];
}
