import * as z from 'zod';
import { kubernetesVersionViewSchema } from '../platforms/kubernetes-versions.ts';
import { nodeText, onKubernetes } from './kubernetes-on.ts';
import { defineOperation } from './operation.ts';
import { targetInput } from './target-input.ts';
import { sizeInput } from './vm-input.ts';

export default defineOperation({
  name: 'target kubernetes add',
  summary: 'Add a version of Kubernetes that a target makes clusters of',
  description:
    'Of the Kubernetes service of CloudStack (CKS), by an administrator: zones fetch the ISO from the address, and it is waited for with percent and cause. One whose ISO does not come is removed again, since it would be offered all the same; one that is there already is waited for. create-kubernetes-binaries-iso.sh of CloudStack makes such an ISO.',
  kind: 'job',
  input: z.strictObject({
    target: targetInput,
    version: z.string().min(1).describe('As in 1.33.1').meta({ positional: true }),
    url: z
      .url({ protocol: /^https?$/ })
      .describe('Where zones fetch the ISO')
      .meta({ placeholder: 'URL' }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/i, { error: 'is not a SHA-256 of 64 hexadecimal digits' })
      .optional()
      .describe('SHA-256 of the ISO, which zones check')
      .meta({ placeholder: 'HEX' }),
    label: z.string().min(1).optional().describe('What people choose it by; default: the version with a v before it').meta({ placeholder: 'NAME' }),
    cpus: z.int().min(2).max(255).default(2).describe('Processors that a node has at least'),
    memory: sizeInput('Memory that a node has at least; default 2GiB', 2 * 2 ** 30).optional(),
    zone: z.string().min(1).optional().describe('Only in this zone; default: in all').meta({ placeholder: 'ZONE' }),
  }),
  output: kubernetesVersionViewSchema,
  examples: [
    {
      command: 'ingot target kubernetes add prod 1.33.1 --url https://mirror.example.org/setup-v1.33.1.iso --zone z1',
      does: 'in one zone',
    },
  ],
  run: ({ target, version, url, sha256, label, cpus, memory, zone }, context) =>
    onKubernetes(context, target, `adding Kubernetes ${version} to ${target}`, (versions, span) =>
      versions.add(
        { version, name: label, url, sha256: sha256?.toLowerCase(), cpus, memory: memory === undefined ? 2048 : Math.ceil(memory / 2 ** 20), zone },
        span,
      ),
    ),
  render: (one) => `Kubernetes ${one.version} is in ${one.zone === 'all' ? 'all zones' : one.zone}; its nodes have ${nodeText(one)} at least`,
});
