import { basename, dirname, join } from 'node:path';
import { FileDigests } from '../base/file-digests.ts';
import type { FileStatus } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { Memo } from '../base/memo.ts';
import type { Secrets } from '../base/secrets.ts';
import { projectFile } from '../base/settings.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import type { LoadedTemplate } from './load.ts';
import type { Fragment } from './fragments.ts';
import type { TreeReading } from './tree.ts';

/**
 * What one command reads for its templates, each thing once: a fleet asks for the same fragments, scripts and trees hundreds of times. Made
 * for the length of a command, so that nothing in it grows old.
 */
export class Reading {
  readonly loaded = new Memo<LoadedTemplate>();
  readonly fragments = new Memo<Fragment>();
  readonly contents = new Memo<Uint8Array>();
  readonly trees = new Memo<TreeReading>();
  readonly texts = new Memo<Uint8Array>();
  #secrets: Secrets | undefined;
  #digests: Promise<FileDigests> | undefined;
  readonly #host: Host;
  readonly #home: Home;
  readonly #folders = new Memo<string | undefined>();
  readonly #statuses = new Memo<FileStatus | undefined>();
  readonly #roots = new Memo<HostPath>();

  constructor({ host, home }: { readonly host: Host; readonly home: Home }) {
    this.#host = host;
    this.#home = home;
  }

  /** What is remembered of large files; {@link FileDigests.save} keeps what is new. */
  digests(): Promise<FileDigests> {
    return (this.#digests ??= FileDigests.open(this.#host, this.#home));
  }

  /** The secrets, opened once. */
  secrets(open: () => Secrets): Secrets {
    return (this.#secrets ??= open());
  }

  /** The path without any link in it, and what is there; undefined where it leads nowhere. A last part that is not there may be missing. */
  async at(path: HostPath): Promise<{ readonly path: HostPath; readonly status: FileStatus | undefined } | undefined> {
    const folder = await this.#folders.get(dirname(path), () => this.#host.files.resolveLinks(dirname(path)));
    if (folder === undefined) return undefined;
    const real = join(folder, basename(path));
    const status = await this.#status(real);
    if (status?.kind !== 'link') return { path: hostPath(real), status };
    const target = await this.#folders.get(real, () => this.#host.files.resolveLinks(real));
    return target === undefined ? undefined : { path: hostPath(target), status: await this.#status(target) };
  }

  async #status(path: string): Promise<FileStatus | undefined> {
    return await this.#statuses.get(path, () => this.#host.files.status(path));
  }

  /**
   * The folder that nothing in a template leads out of: that of the project (the nearest one above with its settings file), else the
   * template's own. A template that somebody else wrote can so bring nothing of this machine into an image.
   */
  async root(file: HostPath): Promise<HostPath> {
    const folder = hostPath(dirname(file));
    return await this.#roots.get(folder, async () => {
      const project = await projectFile({ host: { files: this.#host.files, env: {} }, home: this.#home, folder });
      const root = project === undefined ? folder : dirname(project);
      return hostPath((await this.#host.files.resolveLinks(root)) ?? root);
    });
  }
}
