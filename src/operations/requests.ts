import { IngotError } from '../base/errors.ts';
import type { Request } from '../build/prepare.ts';
import { parseTag } from '../store/reference.ts';
import { loadFleet, type FleetImage } from '../template/fleet.ts';
import { isTemplatePath, templatePath } from '../template/find.ts';
import type { Context } from './operation.ts';
import { requestOf } from './request-input.ts';

type TemplateFlags = Parameters<typeof requestOf>[1];

/**
 * The images that templates, fleets and flags ask for. Paths become absolute, so that they mean the same wherever they are built. Throws
 * `fleet-invalid`, `name-for-many`, and what finding a template throws.
 */
export async function requestsOf(
  context: Context,
  templates: readonly string[],
  flags: TemplateFlags & { readonly tag?: string | undefined },
): Promise<Request[]> {
  if (flags.tag !== undefined) parseTag(flags.tag);
  const requests: Request[] = [];
  for (const template of templates) {
    const fleet = await loadFleet(context, template);
    if (fleet === undefined) {
      requests.push(requestOf(isTemplatePath(template) ? templatePath(context, template) : template, flags));
      continue;
    }
    context.events.message('info', `The fleet ${fleet.name} has ${fleet.images.length} ${fleet.images.length === 1 ? 'image' : 'images'}.`);
    requests.push(...fleet.images.map((image) => fleetRequest(image, flags)));
  }
  if (flags.name !== undefined && requests.length > 1) {
    throw new IngotError('usage', 'name-for-many', `--name names one image, and there are ${requests.length}`, { hint: 'Set `name` in the templates.' });
  }
  return requests;
}

/** What the fleet says of an image, and the flags on top of it. */
function fleetRequest(image: FleetImage, flags: TemplateFlags): Request {
  const request = requestOf(image.template, flags);
  return {
    ...request,
    name: request.name ?? image.name,
    from: image.from,
    arch: image.arch ?? request.arch,
    roles: [...image.roles, ...request.roles],
    packages: [...image.packages, ...request.packages],
    variables: { ...image.variables, ...request.variables },
  };
}
