import { hostPath, type HostPath } from '../base/types.ts';
import type { Path, Scope } from './scope.ts';

/** A disk or medium that the template names at this path: it is large and lies where disks lie, so that only here a path may be absolute. */
export async function hostFileAt(scope: Scope, at: Path, text: string): Promise<HostPath | undefined> {
  const found = text.startsWith('/') ? await absoluteFile(scope, at, text) : await scope.fileAt(at, text);
  if (found === undefined) return undefined;
  if (found.kind === 'file') return found.path;
  scope.problem(at, `${text} is a folder, not a disk`);
  return undefined;
}

async function absoluteFile(scope: Scope, at: Path, text: string): Promise<{ readonly path: HostPath; readonly kind: 'file' } | undefined> {
  const { files } = scope.context.host;
  const real = await files.resolveLinks(text);
  if (real !== undefined && (await files.status(real))?.kind === 'file') return { path: hostPath(real), kind: 'file' };
  scope.problem(at, real === undefined ? `there is no ${text}` : `${text} is not a file`);
  return undefined;
}
