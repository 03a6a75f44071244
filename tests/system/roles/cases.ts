import { readdir } from 'node:fs/promises';
import * as z from 'zod';
import type { RoleCase } from './case.ts';

const moduleSchema = z.object({ cases: z.custom<readonly RoleCase[]>((value) => Array.isArray(value)) });

/** All cases, read from the files beside this one, by role. */
export async function allCases(): Promise<RoleCase[]> {
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.ts') && !['case.ts', 'cases.ts'].includes(name)).toSorted();
  const modules = await Promise.all(names.map(async (name) => moduleSchema.parse(await import(/* @vite-ignore */ `./${name}`))));
  return modules.flatMap(({ cases }) => cases);
}
