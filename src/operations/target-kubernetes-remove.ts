import * as z from 'zod';
import { kubernetesVersionViewSchema } from '../platforms/kubernetes-versions.ts';
import { onKubernetes } from './kubernetes-on.ts';
import { defineOperation } from './operation.ts';
import { targetInput } from './target-input.ts';

export default defineOperation({
  name: 'target kubernetes remove',
  summary: 'Remove a version of Kubernetes from a target, with its ISO',
  description: 'Of the Kubernetes service of CloudStack (CKS), by an administrator. CloudStack refuses it while a cluster uses that version.',
  kind: 'job',
  input: z.strictObject({
    target: targetInput,
    version: z.string().min(1).describe('The version, its name, or its identifier').meta({ positional: true }),
    zone: z.string().min(1).optional().describe('That of this zone, where several have it').meta({ placeholder: 'ZONE' }),
  }),
  output: kubernetesVersionViewSchema,
  examples: [{ command: 'ingot target kubernetes remove prod 1.29.4', does: 'one that nobody is to choose any more' }],
  run: ({ target, version, zone }, context) =>
    onKubernetes(context, target, `removing Kubernetes ${version} from ${target}`, (versions, span) => versions.remove(version, { zone, span })),
  render: ({ version, zone }) => `Kubernetes ${version} is removed from ${zone === 'all' ? 'all zones' : zone}`,
});
