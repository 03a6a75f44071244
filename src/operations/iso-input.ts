import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { findRelease, loadCatalog } from '../catalog/catalog.ts';
import { ARCHITECTURES, type Architecture } from '../catalog/cloud-image-schema.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from './operation.ts';

/** Which medium is meant. */
export const isoInput = {
  releases: z.array(z.string()).min(1).meta({ positional: true, placeholder: 'RELEASE' }).describe('Releases of the catalog: debian-12'),
  arch: z.enum(ARCHITECTURES).optional().describe("For which architecture; default: the host's"),
};

/** The releases that were named, and the architecture. Throws `release-unknown`, `arch-unsupported`. */
export async function chosenMedia(
  context: Context,
  input: { readonly releases: readonly string[]; readonly arch?: Architecture | undefined },
): Promise<{ readonly release: Release; readonly arch: Architecture }[]> {
  const catalog = await loadCatalog(context);
  const arch = input.arch ?? ARCHITECTURES.find((known) => known === context.host.machine.arch);
  if (arch === undefined) {
    throw new IngotError('usage', 'arch-unsupported', `There are no installers for ${context.host.machine.arch}`, {
      hint: `Say --arch ${ARCHITECTURES.join(' or ')}.`,
    });
  }
  return input.releases.map((id) => ({ release: findRelease(catalog, id), arch }));
}
