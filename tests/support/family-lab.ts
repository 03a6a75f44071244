import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError } from '../../src/base/errors.ts';
import { makeScratch, type Scratch } from '../../src/base/scratch.ts';
import { openSecrets } from '../../src/base/secrets.ts';
import { hostPath, type HostPath } from '../../src/base/types.ts';
import { applyLayer, type UpperLayer } from '../../src/build/apply/apply.ts';
import { runCommand } from '../../src/build/apply/command.ts';
import { baseImage } from '../../src/build/base-image.ts';
import { findRelease, shippedCatalog } from '../../src/catalog/catalog.ts';
import type { FamilyName } from '../../src/catalog/families.ts';
import type { Release } from '../../src/catalog/schema.ts';
import type { Context } from '../../src/operations/operation.ts';
import { planImage } from '../../src/plan/plan.ts';
import { sectionsOf } from '../../src/plan/sections.ts';
import { ANY_EXIT_CODE } from '../../src/platforms/local/ssh.ts';
import { makeOverlay } from '../../src/platforms/local/overlay.ts';
import type { GuestCommand } from '../../src/sources/bootstrap/recipe.ts';
import type { Image } from '../../src/store/model.ts';
import { layerPaths, openStore } from '../../src/store/store.ts';
import type { ResolvedTemplate } from '../../src/template/template.ts';
import { openPlace, type Place } from '../../src/workspace/place.ts';
import { openThrowAway } from '../../src/workspace/throw-away.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';
import { TestHome } from '../system/support.ts';
import { SAMPLE_TEMPLATE } from './sample-template.ts';

/**
 * An image in which the package manager of a family is there as a package of Debian, and which is taken for one of that family: layers are planned for it and
 * made on it by the code that builds images.
 */
export class FamilyLab implements AsyncDisposable {
  readonly release: Release;
  readonly #home: TestHome;
  readonly #context: Context;
  readonly #image: Image;
  readonly #scratch: Scratch;
  readonly #place: Place;
  #layers = 0;
  /** The image's own disk, or what `prepare` made of it. */
  #base: readonly HostPath[] = [];

  private constructor(home: TestHome, context: Context, image: Image, scratch: Scratch, place: Place, release: Release) {
    this.#home = home;
    this.#context = context;
    this.#image = image;
    this.#scratch = scratch;
    this.#place = place;
    this.release = release;
  }

  /** Builds the image from a template of Debian. INGOT_TEST_HOME is a home that is kept, with the image that it has: for those who run a test again and again. */
  static async make(family: FamilyName, template: string): Promise<FamilyLab> {
    const kept = process.env['INGOT_TEST_HOME'];
    const home = kept === undefined ? await TestHome.make() : TestHome.kept(hostPath(kept));
    const folder = join(home.root, 'work');
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'managers.yaml');
    await writeFile(file, `name: managers\n${template}`);
    const there = kept !== undefined && (await home.ingot(['image', 'show', 'managers', '--json'])).exitCode === 0;
    if (!there) await home.json(['build', file, '--no-gate', '--yes']);
    const context = await home.context();
    const image = await openStore(context.host, context.home).resolve('managers:latest');
    const scratch = await makeScratch(context.host, context.home, 'test');
    const place = await openPlace(context, { kind: 'host', scratch: scratch.path });
    const debian = findRelease(await shippedCatalog(), image.config['dev.ingot.image'].release);
    const release: Release = { ...debian, id: `${family}-test`, distribution: family, name: family, family, defaultUser: 'cloud' };
    return new FamilyLab(home, context, image, scratch, place, release);
  }

  /** Makes the layers of what a template says on the image, one after the other; answers with the disk that they make. */
  async build(changes: Partial<ResolvedTemplate>, on: readonly HostPath[] = this.base): Promise<HostPath[]> {
    const template: ResolvedTemplate = {
      ...SAMPLE_TEMPLATE,
      ...changes,
      arch: this.#image.config.architecture,
      disk: { ...SAMPLE_TEMPLATE.disk, size: this.#size },
    };
    const base = baseImage(this.#image, 'managers:latest');
    const sections = sectionsOf(template, this.release);
    const upstream = { packages: [], resolutions: sections.map(() => undefined), indexes: {}, expiredMetadata: false };
    const { layers } = planImage(template, this.release, base, sections, upstream);
    const chain = [...on];
    for (const layer of layers) {
      if (!isUpper(layer)) throw new Error('a layer on an image is no base');
      const folder = hostPath(join(this.#scratch.path, `layer-${(this.#layers += 1)}`));
      await this.#context.host.files.makeDirectory(folder);
      const overlay = hostPath(join(folder, 'overlay.qcow2'));
      const top = chain.at(-1);
      if (top === undefined) throw new Error('an image has layers');
      await makeOverlay(this.#context.host, overlay, top, layer.virtualSize);
      await applyLayer(this.#context, layer, {
        place: () => Promise.resolve(this.#place),
        scratch: folder,
        chain,
        overlay,
        archives: {},
        offline: false,
        secrets: await openSecrets(this.#context),
        span: this.#context.events.span('layer', layer.name),
      });
      chain.push(overlay);
    }
    return chain;
  }

  get #size(): number {
    return this.#image.config['dev.ingot.image'].disk.size;
  }

  /** The disk on which tests stand where they name no other. */
  get base(): readonly HostPath[] {
    return this.#base.length > 0 ? this.#base : layerPaths(this.#context.home, this.#image);
  }

  /** Makes layers on which all others stand. */
  async prepare(changes: Partial<ResolvedTemplate>): Promise<void> {
    this.#base = await this.build(changes);
  }

  /** Opens a disk, to look at it or to run commands that no template has; what is changed there is lost. */
  async open(chain: readonly HostPath[] = this.base): Promise<Workspace> {
    const size = this.#size;
    return await openThrowAway(this.#context, this.#place, { chain, size, scratch: this.#scratch.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
    await this.#scratch[Symbol.asyncDispose]();
    await this.#home[Symbol.asyncDispose]();
  }
}

type PlannedLayer = ReturnType<typeof planImage>['layers'][number];

function isUpper(layer: PlannedLayer): layer is UpperLayer {
  return layer.recipe.kind !== 'bootstrap';
}

/** Runs commands of a family in an opened disk, as a build does. */
export async function runAll({ root }: Workspace, commands: readonly GuestCommand[], options: { readonly network?: boolean } = {}): Promise<void> {
  for (const command of commands) await runCommand(root, command, options);
}

/** What a shell prints in an opened disk, without the last line break; throws with all that it said. */
export async function said({ root }: Workspace, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await root.run(['sh', '-ec', script], { quiet: true, accept: ANY_EXIT_CODE });
  if (exitCode !== 0) throw new Error(`${script} ended with ${exitCode}:\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

/** An error's sentence and the lines behind it: what a user would see. */
export async function errorOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof IngotError ? `${error.message}\n${error.detail ?? ''}` : String(error);
  }
  throw new Error('it should have failed');
}
