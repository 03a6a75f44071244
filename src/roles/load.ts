import { IngotError } from '../base/errors.ts';
import { checkTree } from '../template/check-tree.ts';
import { placedProblems, shownFile } from '../template/placed.ts';
import { parseSource, placeAt, type MapNode, type PlacedProblem } from '../template/source.ts';
import { checkDeclarations } from './parameters.ts';
import type { Role, RoleFolder } from './role.ts';
import { roleHeadSchema } from './schema.ts';

/** Reads a role's folder: its name, parameters, and what it wants of others; its parts are checked when it is used. Throws `role-invalid` with all problems. */
export function loadRole(folder: RoleFolder, shownFrom?: string): Role {
  const text = folder.files['role.yaml'];
  if (text === undefined)
    throw new IngotError('not-found', 'role-missing', `There is no role.yaml in ${folder.origin}`, { hint: '`ingot role new NAME` writes one.' });
  const { root, problems } = parseSource(folder.file, text);
  if (root?.kind !== 'map') {
    const empty: PlacedProblem = { message: 'is not a role (`role: name`, and so on)', place: { source: parseSource(folder.file, text).source, offset: 0 } };
    throw roleInvalid(folder, problems.length > 0 ? problems : [empty], shownFrom);
  }
  const tree = withoutEmpty(root);
  const { value: head } = checkTree(roleHeadSchema, tree, problems);
  if (head !== undefined) checkDeclarations(head, tree, problems);
  const name = folder.file.split('/').at(-2);
  if (head !== undefined && name !== undefined && head.role !== name) {
    problems.push({ path: 'role', message: `must be ${name}, as its folder is called`, place: placeAt(tree, ['role']) });
  }
  if (head === undefined || problems.length > 0) throw roleInvalid(folder, problems, shownFrom);
  return { head, folder, tree };
}

/** The tree without keys that were left empty. */
function withoutEmpty(node: MapNode): MapNode {
  return { ...node, entries: new Map([...node.entries].filter(([, { value }]) => !(value.kind === 'value' && value.value === null))) };
}

/** The one error that tells everything that is wrong with a role's file. */
export function roleInvalid(folder: RoleFolder, problems: readonly PlacedProblem[], shownFrom?: string): IngotError {
  const placed = placedProblems(problems, shownFrom);
  const count = placed.length === 1 ? 'a problem' : `${placed.length} problems`;
  return new IngotError('usage', 'role-invalid', `The role file ${shownFile(folder.file, shownFrom)} has ${count}`, {
    problems: placed,
    hint: 'docs/roles.md says how roles are written. `ingot role validate` checks one without building it.',
  });
}
