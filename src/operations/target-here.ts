import * as z from 'zod';
import { clientWith } from '../platforms/proxmox/open.ts';
import { targetHere } from '../platforms/proxmox/here.ts';
import { serverVersion } from '../platforms/proxmox/probe.ts';
import { targetReference } from '../platforms/platform.ts';
import { addTarget, parseTargetName } from '../publish/targets.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'target here',
  summary: 'Make a target of the Proxmox VE node that ingot runs on',
  description:
    'Finds out by itself what `target add` asks for: makes a role with the least privileges, the user ingot@pve and a token, once you agree to the commands, and takes the fingerprint of the certificate from the node. From then on it is a target like any other: what is published goes over the API.',
  kind: 'job',
  input: z.strictObject({
    name: z.string().min(1).default('here').meta({ positional: true }).describe('What you call it'),
    replace: z.boolean().default(false).describe('Replace a target of that name'),
  }),
  output: z.strictObject({ target: z.string(), change: z.enum(['added', 'replaced']), url: z.string(), version: z.string() }),
  examples: [{ command: 'ingot target here', does: 'on a node, as root: shows the commands, and makes the target proxmox:here' }],
  async run(input, context) {
    const { target, secret } = await targetHere(context, parseTargetName(input.name));
    const client = clientWith(context, target, secret);
    try {
      const { version } = await serverVersion(client);
      return { target: targetReference(target), change: await addTarget(context, target, secret, { replace: input.replace }), url: target.url, version };
    } finally {
      await client.close();
    }
  },
  render: ({ target, change, version }) =>
    `${target} is ${change}: this node, Proxmox VE ${version}.\n\`ingot publish IMAGE --to ${target}\` makes a template here; \`ingot target check ${target}\` says what it can take.`,
});
