import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostProcesses } from '../../src/base/process.ts';

/** A small Debian package, described plainly. */
export interface StandInPackage {
  readonly name: string;
  readonly version: string;
  /** Default `all`. */
  readonly arch?: string;
  readonly depends?: readonly string[];
  readonly conflicts?: readonly string[];
  readonly provides?: readonly string[];
  /** Absolute path -> content; a mode other than 0644 is said with it. Those below /etc are configuration files. */
  readonly files?: Readonly<Record<string, string | { readonly content: string | Uint8Array; readonly mode?: string }>>;
  /** Absolute path -> where the link leads. */
  readonly links?: Readonly<Record<string, string>>;
  /** Scripts of the package, with their first line. */
  readonly preinst?: string;
  readonly postinst?: string;
  readonly prerm?: string;
}

export interface Deb {
  /** `name_version_arch.deb` */
  readonly file: string;
  readonly content: Buffer;
  /** Its paragraph in an index, less where it is and its hash. */
  readonly control: string;
}

/** Seconds since 1970 that all files are from: the same description is the same package. */
const EPOCH = '1700000000';

/** Makes the package with dpkg-deb. Throws what that says of it. */
export async function buildDeb(item: StandInPackage): Promise<Deb> {
  const folder = await mkdtemp(join(tmpdir(), 'ingot-deb-'));
  try {
    const root = join(folder, 'root');
    const put = async (path: string, content: string | Uint8Array, mode = '0644'): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
      await chmod(join(root, path), Number.parseInt(mode, 8));
    };
    const files = Object.entries(item.files ?? {});
    for (const [path, file] of files) await (typeof file === 'string' ? put(path, file) : put(path, file.content, file.mode));
    for (const [path, target] of Object.entries(item.links ?? {})) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await symlink(target, join(root, path));
    }
    const control = controlOf(item);
    await put('DEBIAN/control', control);
    const configuration = files.map(([path]) => path).filter((path) => path.startsWith('/etc/'));
    if (configuration.length > 0) await put('DEBIAN/conffiles', `${configuration.join('\n')}\n`);
    for (const script of ['preinst', 'postinst', 'prerm'] as const) {
      const text = item[script];
      if (text !== undefined) await put(`DEBIAN/${script}`, text, '0755');
    }
    const file = `${item.name}_${item.version.replace(/^\d+:/, '')}_${item.arch ?? 'all'}.deb`;
    await hostProcesses.run(['dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '--build', root, join(folder, file)], {
      env: { SOURCE_DATE_EPOCH: EPOCH },
      timeout: 60,
    });
    return { file, control, content: await readFile(join(folder, file)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function controlOf({ name, version, arch = 'all', depends = [], conflicts = [], provides = [] }: StandInPackage): string {
  const list = (field: string, names: readonly string[]): string => (names.length === 0 ? '' : `${field}: ${names.join(', ')}\n`);
  return [
    `Package: ${name}\nVersion: ${version}\nArchitecture: ${arch}\nMaintainer: Stand-in <stand-in@example.invalid>\nPriority: optional\nSection: misc\n`,
    list('Depends', depends),
    list('Conflicts', conflicts),
    list('Provides', provides),
    `Description: stands for ${name} in tests\n`,
  ].join('');
}
