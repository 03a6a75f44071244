import { join } from 'node:path';
import { IngotError } from '../../../base/errors.ts';
import type { Host } from '../../../base/host.ts';
import { BASE_ENVIRONMENT } from '../../../base/process.ts';

export interface PackerProgram {
  readonly path: string;
  /** `1.6.6`. */
  readonly version: string;
}

/** The first version that reads HCL2 as it is today. */
const LEAST: readonly [number, number] = [1, 6];

/**
 * Packer on the search path of the user. Some distributions have another program of that name (of cracklib), which is passed over. Throws
 * `packer-missing` and `packer-old`.
 */
export async function findPacker(host: Pick<Host, 'files' | 'processes' | 'env'>): Promise<PackerProgram> {
  const folders = new Set([...(host.env['PATH'] ?? '').split(':'), ...(BASE_ENVIRONMENT['PATH'] ?? '').split(':')].filter((folder) => folder.startsWith('/')));
  for (const folder of folders) {
    const path = join(folder, 'packer');
    const real = await host.files.resolveLinks(path);
    if (real === undefined || (await host.files.status(real))?.kind !== 'file') continue;
    const version = await versionOf(host, path);
    if (version === undefined) continue;
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return { path, version };
    throw new IngotError('host', 'packer-old', `${path} is Packer ${version}, which is too old`, {
      hint: `It needs ${LEAST.join('.')} or later; Debian 12 has 1.6.6.`,
    });
  }
  throw new IngotError('host', 'packer-missing', 'Packer is not installed', {
    hint: "Install Debian's package packer, or the release of its maker, so that `packer version` works. An image does not need it: `ingot build`.",
  });
}

async function versionOf({ processes }: Pick<Host, 'processes'>, path: string): Promise<string | undefined> {
  try {
    // The other program reads its standard input, of which there is none, and prints nothing.
    const { stdout } = await processes.run([path, 'version'], { env: { CHECKPOINT_DISABLE: '1' }, timeout: 20, accept: [1, 255] });
    return /^Packer v(\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
  } catch (error) {
    if (error instanceof IngotError && error.code.startsWith('command-')) return undefined;
    throw error;
  }
}
