import { dirname, resolve } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { fleetSchema, type Fleet } from './fleet-schema.ts';
import { findTemplate, isTemplatePath } from './find.ts';
import { placedProblems, shownFile } from './placed.ts';
import { schemaProblems } from './problems.ts';
import { MAX_FILE_SIZE, parseSource, placeAt, plainOf, type Node, type PlacedProblem } from './source.ts';

type FleetContext = Pick<Context, 'host' | 'home' | 'settings' | 'folder'>;

/** One image of a fleet. */
export interface FleetImage {
  /** A release, a template's name, or an absolute path. */
  readonly template: string;
  /** A release that replaces what the template starts from. */
  readonly from?: string;
  readonly roles: readonly string[];
  readonly arch?: 'amd64' | 'arm64';
  /** `<template>-<release>-<roles>`; absent where it is the template alone. */
  readonly name?: string;
  readonly packages: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/** What a fleet file asks for. */
export interface LoadedFleet {
  readonly name: string;
  readonly images: readonly FleetImage[];
}

/**
 * What a fleet file asks for, or undefined where what is named is no such file: a release, or a template. A file is a fleet when it has the
 * key `templates`. Throws `fleet-invalid` with every problem at its line and column.
 */
export async function loadFleet(context: FleetContext, text: string): Promise<LoadedFleet | undefined> {
  const found = await findTemplate(context, text);
  if (found.kind !== 'file') return undefined;
  const source = await fleetText(context, found.path);
  return source === undefined ? undefined : readFleet(found.path, source, context.folder);
}

/** The text of a file that may be a fleet: a template is told from it before it is parsed, since it is parsed elsewhere. */
async function fleetText({ host }: FleetContext, path: HostPath): Promise<string | undefined> {
  if (((await host.files.status(path))?.size ?? 0) > MAX_FILE_SIZE) return undefined;
  const text = Buffer.from(await host.files.read(path)).toString('utf8');
  return /^\s*["']?templates["']?\s*:/m.test(text) ? text : undefined;
}

/** {@link loadFleet} from a text; `folder` is where the user is, for the names of files in messages. */
export function readFleet(file: HostPath, text: string, folder: string | undefined): LoadedFleet | undefined {
  const { root, problems } = parseSource(file, text);
  // What is no YAML is told by the template's loader.
  if (root?.kind !== 'map' || !root.entries.has('templates')) return undefined;
  const parsed = fleetSchema.safeParse(plainOf(root), { jitless: true });
  if (!parsed.success) throw fleetInvalid(file, [...problems, ...schemaProblems(parsed.error.issues, fleetSchema, root)], folder);
  const images = expand(parsed.data, dirname(file), root, problems);
  if (problems.length > 0) throw fleetInvalid(file, problems, folder);
  return { name: parsed.data.fleet ?? baseName(file), images };
}

interface Combination {
  readonly template: string;
  readonly release: string | undefined;
  readonly roles: readonly string[];
  readonly arch: 'amd64' | 'arm64' | undefined;
}

function expand(fleet: Fleet, folder: string, root: Node, problems: PlacedProblem[]): FleetImage[] {
  const all = combinations(fleet);
  fleet.exclude.forEach((exclude, i) => {
    if (all.some((one) => matches(one, exclude))) return;
    problems.push({ path: `exclude[${i}]`, message: 'excludes nothing: no combination matches it', place: placeAt(root, ['exclude', i]) });
  });
  const kept = all.filter((one) => !fleet.exclude.some((exclude) => matches(one, exclude)));
  const several = fleet.arch.length > 1;
  const images = kept.map((one): FleetImage => imageOf(one, folder, nameOf(one, several), { packages: [], variables: {} }));
  for (const { template, release, roles, arch, name, packages, variables } of fleet.include) {
    const one = { template, release, roles: listOf(roles ?? []), arch };
    const texts = Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, String(value)]));
    images.push(imageOf(one, folder, name ?? nameOf(one, arch !== undefined), { packages, variables: texts }));
  }
  const names = images.map(({ name, template }) => name ?? baseName(template));
  for (const name of new Set(names.filter((each, i) => names.indexOf(each) !== i))) {
    const included = fleet.include.length - (images.length - names.lastIndexOf(name));
    const place = names.lastIndexOf(name) >= kept.length ? placeAt(root, ['include', included]) : placeAt(root, ['templates']);
    problems.push({ message: `makes two images called ${name}`, hint: 'Give one of them a name of its own under `include`, or exclude it.', place });
  }
  if (images.length === 0) problems.push({ path: 'exclude', message: 'leaves no image to build', place: placeAt(root, ['exclude']) });
  return images;
}

function combinations(fleet: Fleet): Combination[] {
  const orNone = <T>(list: readonly T[]): readonly (T | undefined)[] => (list.length === 0 ? [undefined] : list);
  return fleet.templates.flatMap((template) =>
    orNone(fleet.releases).flatMap((release) =>
      orNone(fleet.roles).flatMap((roles) => orNone(fleet.arch).map((arch) => ({ template, release, roles: listOf(roles ?? []), arch }))),
    ),
  );
}

function matches(one: Combination, exclude: Fleet['exclude'][number]): boolean {
  return (
    (exclude.template === undefined || exclude.template === one.template || exclude.template === baseName(one.template)) &&
    (exclude.release === undefined || exclude.release === one.release) &&
    (exclude.arch === undefined || exclude.arch === one.arch) &&
    (exclude.roles === undefined ||
      (listOf(exclude.roles).length === 0 ? one.roles.length === 0 : listOf(exclude.roles).every((role) => one.roles.includes(role))))
  );
}

function imageOf(
  { template, release, roles, arch }: Combination,
  folder: string,
  name: string | undefined,
  more: Pick<FleetImage, 'packages' | 'variables'>,
): FleetImage {
  return {
    template: isTemplatePath(template) ? hostPath(resolve(folder, template)) : template,
    roles,
    ...more,
    ...(release === undefined ? {} : { from: release }),
    ...(arch === undefined ? {} : { arch }),
    ...(name === undefined ? {} : { name }),
  };
}

/** The name of a combination; undefined where it is the template as it is, which has a name of its own. */
function nameOf({ template, release, roles, arch }: Combination, withArch: boolean): string | undefined {
  const parts = [...(release === undefined ? [] : [release]), ...roles, ...(withArch && arch !== undefined ? [arch] : [])];
  return parts.length === 0 ? undefined : [baseName(template), ...parts].join('-');
}

function baseName(template: string): string {
  return template.slice(template.lastIndexOf('/') + 1).replace(/\.ya?ml$/, '');
}

function listOf(roles: string | readonly string[]): readonly string[] {
  return typeof roles === 'string' ? [roles] : roles;
}

function fleetInvalid(file: HostPath, problems: readonly PlacedProblem[], folder: string | undefined): IngotError {
  const placed = placedProblems(problems, folder);
  return new IngotError(
    'usage',
    'fleet-invalid',
    `The fleet ${shownFile(file, folder)} has ${placed.length === 1 ? 'a mistake' : `${placed.length} mistakes`}`,
    {
      problems: placed,
    },
  );
}
