import { nearest } from '../base/errors.ts';

/** The members that each VM of a file stands for: `web`, or `web-1`, `web-2` where it has a count. Pure. */
export function memberNames(groups: readonly { readonly group: string; readonly count: number | undefined }[]): Map<string, readonly string[]> {
  return new Map(
    groups.map(({ group, count }) => [group, count === undefined ? [group] : Array.from({ length: count }, (_, index) => `${group}-${index + 1}`)]),
  );
}

/**
 * The VMs of a file so that each comes after those it waits for, otherwise as they are written. Tells what is unknown or waits for itself; those are
 * left where they are. Pure.
 */
export function startOrder(
  groups: readonly { readonly group: string; readonly after: readonly string[] }[],
  problem: (group: string, message: string, hint?: string) => void,
): string[] {
  const known = new Map(groups.map((one) => [one.group, one.after]));
  const [done, open] = [new Set<string>(), new Set<string>()];
  const visit = (group: string): void => {
    if (done.has(group)) return;
    open.add(group);
    for (const other of known.get(group) ?? []) {
      if (!known.has(other)) {
        const near = nearest(other, known.keys());
        problem(group, `names ${other}, which is not there`, near.length > 0 ? `Did you mean ${near.join(' or ')}?` : undefined);
      } else if (open.has(other)) {
        const circle = [...open];
        problem(group, `goes round in a circle: ${[...circle.slice(circle.indexOf(other)), other].join(' waits for ')}`);
      } else visit(other);
    }
    open.delete(group);
    done.add(group);
  };
  for (const { group } of groups) visit(group);
  return [...done];
}
