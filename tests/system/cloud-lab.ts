import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../src/base/programs.ts';
import { realHost } from '../../src/base/host.ts';
import { hostPath } from '../../src/base/types.ts';
import { CloudMirror } from '../support/cloud-mirror.ts';
import { makeVariant, type Variant } from '../support/foreign-disks.ts';
import { TestHome, whyNot } from './support.ts';

/** Why images cannot be served and built here, or undefined. */
export async function whyNoCloudImages(): Promise<string | undefined> {
  return whyNot() ?? ((await findProgram(realHost(), 'gpg')) === undefined ? 'there is no gpg to sign a mirror with' : undefined);
}

/** What Debian's images need to start from other file systems, which their own is not. */
const TOOLS = `name: tools
from: debian-12
packages: [xfsprogs, btrfs-progs, lvm2]
steps:
  - run: sed -i 's/^manual_add_modules /&xfs btrfs dm_mod /' /etc/initramfs-tools/hooks/ingot && update-initramfs -u
`;
const ARCHIVE = { suites: ['bookworm', 'bookworm-updates'], securitySuite: 'bookworm-security', components: ['main', 'non-free-firmware'] };

/** Cloud images that a test makes of one Debian, and a home that knows the mirror which has them. */
export class CloudLab implements AsyncDisposable {
  readonly home: TestHome;
  readonly mirror: CloudMirror;

  private constructor(home: TestHome, mirror: CloudMirror) {
    this.home = home;
    this.mirror = mirror;
  }

  /**
   * A home, and a mirror with an image of each variant as the release `debian-<variant>`. INGOT_TEST_HOME is a home that is kept, with its images: for those
   * who run a test again and again.
   */
  static async make(variants: readonly Variant[]): Promise<CloudLab> {
    const kept = process.env['INGOT_TEST_HOME'];
    const home = kept === undefined ? await TestHome.make() : TestHome.kept(hostPath(kept));
    const lab = new CloudLab(home, await CloudMirror.open(join(home.root, 'mirror')));
    if (variants.some((variant) => !existsSync(lab.file(variant)))) {
      await home.json(['build', await lab.template('tools', TOOLS), '--no-gate', '--yes']);
    }
    for (const variant of variants) {
      if (!existsSync(lab.file(variant))) await makeVariant(await home.context(), 'tools:latest', variant, lab.file(variant));
      await lab.add(`${variant}.qcow2`, `debian-${variant}`);
    }
    return lab;
  }

  file(variant: Variant): string {
    return join(this.mirror.folder, `${variant}.qcow2`);
  }

  /** Adds a file of the mirror as the image of a Debian 12. */
  async add(file: string, id: string, image: Parameters<CloudMirror['add']>[2] = {}): Promise<void> {
    await this.mirror.add(file, { id, archive: ARCHIVE }, image);
  }

  /** Signs what the mirror has, and tells a home of it. */
  async publish(home: TestHome = this.home): Promise<void> {
    await this.mirror.publish();
    await this.mirror.catalog(join(home.root, 'catalog'), { distribution: 'debian' });
  }

  async template(name: string, text: string): Promise<string> {
    const file = join(this.home.root, 'work', `${name}.yaml`);
    await mkdir(join(this.home.root, 'work'), { recursive: true });
    await writeFile(file, text);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.home[Symbol.asyncDispose]();
  }
}
