import { IngotError } from '../../../base/errors.ts';
import { findRelease, loadCatalog } from '../../../catalog/catalog.ts';
import { ARCHITECTURES } from '../../../catalog/cloud-image-schema.ts';
import type { Context } from '../../../operations/operation.ts';
import { theMedium } from '../../../build/install-medium.ts';
import type { Request } from '../../../build/prepare.ts';
import { openStore } from '../../../store/store.ts';
import { findTemplate } from '../../../template/find.ts';
import { loadTemplate } from '../../../template/load.ts';
import { Reading } from '../../../template/reading.ts';
import { resolveTemplate } from '../../../template/resolve.ts';
import type { Image } from '../../../store/model.ts';
import type { Origin } from './project.ts';

/** What a project is to be made of, before a disk is written for it. */
export interface FoundOrigin extends Omit<Origin, 'image'> {
  /** The image whose disk it starts from. */
  readonly from?: { readonly reference: string; readonly image: Image };
}

/**
 * Resolves a template as a build would, without asking any repository and without fetching anything. `fromImage` is an image of the store that the project
 * starts from; a template that starts from an image does anyway. Throws `packer-base-unsupported`, and what resolving throws.
 */
export async function readOrigin(
  context: Context,
  request: Request,
  { fromImage, offline }: { readonly fromImage?: string; readonly offline: boolean },
): Promise<FoundOrigin> {
  const catalog = await loadCatalog(context);
  const reading = new Reading(context);
  const found = await findTemplate(context, request.template);
  const loaded = found.kind === 'file' ? await loadTemplate(context, found.path, { variables: request.variables, reading }) : undefined;
  const [variable] = Object.keys(request.variables);
  if (loaded === undefined && variable !== undefined) {
    throw new IngotError('usage', 'variable-unknown', `--var sets ${variable}, but ${request.template} is a release, which has no variables`, {
      hint: 'Variables are declared in a template file.',
    });
  }
  const { variables: _variables, template: named, from, ...overrides } = request;
  const start = found.kind === 'release' ? named : from;
  const template = await resolveTemplate(context, loaded, { ...overrides, from: start }, { catalog, reading, offline });
  const { base } = template;
  if (base.kind === 'file' || base.kind === 'url') {
    throw new IngotError('usage', 'packer-base-unsupported', 'The template starts from a disk of which ingot does not know yet what release it is', {
      hint: 'Take it into the store first (`ingot image import`), and start from that image: `from: NAME`.',
    });
  }
  const reference = fromImage ?? (base.kind === 'image' ? base.reference : undefined);
  const image = reference === undefined ? undefined : await openStore(context.host, context.home).resolve(reference);
  const release = findRelease(catalog, base.kind === 'image' ? (image?.config['dev.ingot.image'].release ?? '') : base.release);
  const of = image?.config['dev.ingot.image'].release;
  if (of !== undefined && of !== release.id) {
    throw new IngotError('usage', 'packer-image-unfit', `The template is for ${release.id}, and the image ${fromImage ?? ''} is ${of}`);
  }
  const architecture = ARCHITECTURES.find((each) => each === template.arch);
  if (architecture === undefined) throw new IngotError('usage', 'arch-unsupported', `Nothing is built for ${template.arch}`);
  // Packer takes the path of an ISO; a kernel and its initrd it cannot start.
  const own =
    base.kind === 'installer' && base.medium.kind === 'iso' ? (await theMedium(context, base, release, architecture, { offline })).resolved : undefined;
  const medium = own === undefined ? {} : { medium: { url: own.url.replace(/^file:/, ''), checksum: own.digest } };
  return { template, release, architecture, ...medium, ...(reference === undefined || image === undefined ? {} : { from: { reference, image } }) };
}
