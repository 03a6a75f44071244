import { stringify } from 'yaml';
import type { PackageRepository, SecretUse } from '../template/template.ts';
import { placeAt, type PlacedProblem } from '../template/source.ts';
import type { VariableValue } from '../template/variables-schema.ts';
import type { RootFile } from '../workspace/guest-root.ts';
import { roleInvalid } from './load.ts';
import { chooseParts, type ChosenParts, type RoleFacts } from './parts.ts';
import type { Role, RoleContent } from './role.ts';
import type { RoleFile, RolePart } from './schema.ts';

/** How a role's words become something: asked of whoever uses the role. */
export interface RoleNeeds {
  /** What a package is called in the image's family, and which repository has it, where that is not the distribution's own. */
  readonly native: (name: string) => { readonly name: string; readonly repository?: string | undefined };
  /** Undefined where the template names its own repository of that name. */
  readonly repository: (repository: RolePart['repositories'][number]) => Promise<PackageRepository | undefined>;
  readonly secret: (name: string) => Promise<SecretUse>;
}

/** What a role does to an image. Throws `role-invalid`, and what `needs` throws. */
export async function roleContent(role: Role, facts: RoleFacts, values: ReadonlyMap<string, VariableValue>, needs: RoleNeeds): Promise<RoleContent> {
  const chosen = chooseParts(role, facts, values);
  const { parts, tests } = chosen;
  const files = contentFiles(role, chosen);
  const packages = parts.flatMap((part) => part.packages).map(needs.native);
  const wanted = [...parts.flatMap((part) => part.repositories), ...packages.flatMap(({ repository }) => repository ?? [])];
  const repositories = await Promise.all(
    [...new Map(wanted.map((each) => [typeof each === 'string' ? each : each.name, each])).values()].map(needs.repository),
  );
  const run = await Promise.all(
    parts
      .flatMap((part) => part.run)
      .map(async ({ name, script, secret }) => ({ name, script, ...(secret === undefined ? {} : { secret: await needs.secret(secret) }) })),
  );
  return {
    repositories: repositories.filter((each) => each !== undefined),
    packages: [...new Set(packages.map(({ name }) => name))].toSorted(),
    files,
    modules: [...new Set(parts.flatMap((part) => part.modules))],
    sysctl: Object.assign({}, ...parts.map((part) => part.sysctl)),
    services: parts.flatMap((part) => Object.entries(part.services)).map(([name, state]) => ({ name, state })),
    ports: [...new Set(parts.flatMap((part) => part.ports))],
    downloads: parts.flatMap((part) => part.downloads).map(({ unpack, ...rest }) => ({ ...rest, unpack: unpack !== undefined })),
    run,
    kernelArguments: parts.flatMap((part) => part['kernel-arguments']),
    tests: [...parts.flatMap((part) => part.tests), ...tests],
  };
}

interface Writing {
  readonly file: RoleFile;
  /** Of JSON and YAML. */
  readonly value?: Readonly<Record<string, unknown>>;
}

/** The files of all parts; those of one path in JSON or YAML are one file. */
function contentFiles(role: Role, { parts, tree }: ChosenParts): RootFile[] {
  const problems: PlacedProblem[] = [];
  const writings = new Map<string, Writing>();
  for (const [i, part] of parts.entries()) {
    for (const [j, file] of part.files.entries()) {
      const path = ['parts', i, 'files', j];
      const known = writings.get(file.path);
      const value = file.json ?? file.yaml;
      const joinable =
        known === undefined || (value !== undefined && (known.file.json === undefined) === (file.json === undefined) && known.value !== undefined);
      if (!joinable) problems.push({ path: `parts[${i}].files[${j}].path`, message: `${file.path} is written twice`, place: placeAt(tree, [...path, 'path']) });
      if (file.from !== undefined && role.folder.files[file.from] === undefined) {
        problems.push({
          path: `parts[${i}].files[${j}].from`,
          message: `there is no ${file.from} in the role's folder`,
          place: placeAt(tree, [...path, 'from']),
        });
      }
      writings.set(file.path, { file, ...(value === undefined ? {} : { value: joined(known?.value ?? {}, value) }) });
    }
  }
  if (problems.length > 0) throw roleInvalid(role.folder, problems);
  return [...writings.values()].map(({ file, value }) => ({ path: file.path, content: textOf(role, file, value), mode: file.mode, owner: file.owner }));
}

function textOf({ folder }: Role, file: RoleFile, value: Readonly<Record<string, unknown>> | undefined): string {
  if (value !== undefined) return file.json === undefined ? stringify(value, { lineWidth: 0 }) : `${JSON.stringify(value, undefined, 2)}\n`;
  return file.content ?? folder.files[file.from ?? ''] ?? '';
}

/** Maps are merged, lists joined, everything else replaced. */
function joined(below: Readonly<Record<string, unknown>>, above: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const known = result[key];
    if (Array.isArray(known) && Array.isArray(value)) result[key] = [...known, ...value];
    else result[key] = isMap(known) && isMap(value) ? joined(known, value) : value;
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
