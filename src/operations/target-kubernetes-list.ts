import * as z from 'zod';
import { kubernetesVersionViewSchema } from '../platforms/kubernetes-versions.ts';
import { nodeText, onKubernetes } from './kubernetes-on.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';
import { targetInput } from './target-input.ts';

export default defineOperation({
  name: 'target kubernetes list',
  summary: 'List the versions of Kubernetes that a target makes clusters of',
  description: 'Of the Kubernetes service of CloudStack (CKS): each is an ISO with its binaries.',
  kind: 'query',
  input: z.strictObject({ target: targetInput, zone: z.string().min(1).optional().describe('Only those of this zone').meta({ placeholder: 'ZONE' }) }),
  output: z.strictObject({ versions: z.array(kubernetesVersionViewSchema) }),
  examples: [{ command: 'ingot target kubernetes list prod', does: 'what clusters can be made of, the newest first' }],
  run: ({ target, zone }, context) => onKubernetes(context, target, `looking at ${target}`, async (versions) => ({ versions: await versions.list(zone) })),
  render({ versions }, options) {
    if (versions.length === 0) return 'There are none. `ingot target kubernetes add TARGET VERSION --url URL` adds one.';
    return renderTable(
      [{ title: 'VERSION' }, { title: 'NAME' }, { title: 'ZONE' }, { title: 'NODES HAVE AT LEAST' }, { title: 'ID', shrink: true }],
      versions.map((one) => [
        one.enabled ? one.version : { text: `${one.version} (disabled)`, style: 'dim' },
        one.name,
        one.zone,
        nodeText(one),
        { text: one.id, style: 'dim' },
      ]),
      options,
    );
  },
});
