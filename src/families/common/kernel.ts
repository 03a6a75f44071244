import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { invalid, oneLine } from './words.ts';

type Values = Readonly<Record<string, string | number>>;

/** Kernel parameters (sysctl.d(5)) on behalf of `name`; the template's own have no name, and the last file, so that they win. */
export function sysctlChanges(name: string, values: Values): Changes {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${oneLine(String(value), `The value of ${key}`)}\n`);
  const path = `/etc/sysctl.d/90-ingot${name === '' ? '' : `-${name}`}.conf`;
  return lines.length === 0 ? NOTHING : { ...NOTHING, files: [rootFile(path, lines.join(''))] };
}

/** Kernel modules that are loaded at boot (modules-load.d(5)), on behalf of `name`. Throws `system-invalid`. */
export function modulesChanges(name: string, modules: readonly string[]): Changes {
  const wrong = modules.find((module) => !/^[A-Za-z0-9_-]+$/.test(module));
  if (wrong !== undefined) throw invalid(`${JSON.stringify(wrong)} is no name of a kernel module`);
  if (modules.length === 0) return NOTHING;
  return { ...NOTHING, files: [rootFile(`/etc/modules-load.d/ingot-${name}.conf`, modules.map((module) => `${module}\n`).join(''))] };
}
