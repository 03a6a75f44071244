import * as z from 'zod';
import { openPlatform } from '../publish/adapters.ts';
import { findPublication, Journal } from '../publish/journal.ts';
import { usersOf } from '../publish/promote.ts';
import { findTarget } from '../publish/targets.ts';
import { defineOperation } from './operation.ts';
import { publicationDetailSchema, publicationInput, publicationLine } from './publication-output.ts';
import { styled } from './table.ts';

export default defineOperation({
  name: 'publication show',
  summary: 'Show a publication: where it is, what its trial found, and which VMs stand on it',
  description: 'Lineage is asked of the target: the VMs there now. --no-vms asks nothing of it.',
  kind: 'job',
  input: z.strictObject({ publication: publicationInput, vms: z.boolean().default(true).describe('Ask the target which VMs stand on it') }),
  output: publicationDetailSchema,
  examples: [{ command: 'ingot publication show proxmox:home/web', does: 'image, template and VMs of the current version' }],
  async run(input, context) {
    const found = await findPublication(context, input.publication);
    const target = await findTarget(context, found.target);
    await using platform = await openPlatform(context, target);
    const made = found.places.map(({ id, facts, state, checks }) => ({ place: id, what: platform.publisher.describe({ facts }), state, checks }));
    const detail = { ...publicationLine(found), made };
    return input.vms ? { ...detail, vms: await usersOf(platform, new Journal(context, found)) } : detail;
  },
  render({ id, target, reference, digest, gate, state, made, vms, failure }, options) {
    const link = { linked: 'linked clone', perhaps: 'perhaps a linked clone', source: 'made from it', full: 'full clone' } as const;
    return [
      styled(id, 'bold', options),
      `Target   ${target}`,
      `Image    ${reference}`,
      `Digest   ${digest}`,
      `Gate     ${gate}`,
      `State    ${state}`,
      ...(failure === undefined ? [] : [`Ended    ${failure}`]),
      ...made.flatMap(({ what, checks }) => [
        `Made     ${what}`,
        ...checks.map(
          ({ name, result, detail }) => `  ${result === 'passed' ? '✔' : result === 'failed' ? '✘' : '-'} ${name}${detail === undefined ? '' : `: ${detail}`}`,
        ),
      ]),
      ...(vms === undefined
        ? []
        : [vms.length === 0 ? 'VMs      none' : `VMs      ${vms.map((vm) => `${vm.id} ${vm.name} on ${vm.place} (${link[vm.link]})`).join('\n         ')}`]),
    ].join('\n');
  },
});
