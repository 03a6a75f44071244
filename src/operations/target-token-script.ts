import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { tokenScript } from '../platforms/proxmox/privileges.ts';
import { parseTokenId } from '../platforms/proxmox/target.ts';
import { findTarget } from '../publish/targets.ts';
import { defineOperation, type Context } from './operation.ts';

const DEFAULT_TOKEN = 'ingot@pve!ingot';

export default defineOperation({
  name: 'target token-script',
  summary: 'Print the commands that make a role with the least privileges, and a token for ingot',
  description:
    'To be pasted into the shell of one node (Datacenter, the node, Shell in the web interface). Nothing is sent anywhere. Proxmox VE 8 and 9 differ in the privilege for the guest agent.',
  kind: 'query',
  input: z.strictObject({
    target: z
      .string()
      .optional()
      .describe('A target whose token it is to be; default: a new one, ingot@pve!ingot')
      .meta({ positional: true, complete: 'target' }),
    tokenId: z.string().optional().describe('The token, USER@REALM!NAME').meta({ placeholder: 'ID' }),
    major: z.enum(['8', '9']).default('9').describe('Major version of Proxmox VE'),
  }),
  output: z.strictObject({ tokenId: z.string(), script: z.string() }),
  examples: [
    { command: 'ingot target token-script', does: 'for a node with Proxmox VE 9' },
    { command: 'ingot target token-script --major 8 --token-id ingot@pve!home', does: 'for one with 8.4, and a token of another name' },
  ],
  async run(input, context) {
    const tokenId = await tokenOf(input, context);
    return { tokenId, script: tokenScript(Number(input.major), tokenId) };
  },
  render: ({ script }) => script,
});

async function tokenOf(input: { readonly target?: string | undefined; readonly tokenId?: string | undefined }, context: Context): Promise<string> {
  if (input.target !== undefined && input.tokenId !== undefined) {
    throw new IngotError('usage', 'token-twice', 'A target and a token are given', { hint: 'Give one of them.' });
  }
  if (input.target !== undefined) {
    const target = await findTarget(context, input.target);
    if (target.platform === 'proxmox') return target.tokenId;
    throw new IngotError('usage', 'target-unfit', `${input.target} is no Proxmox VE: CloudStack has keys of users, and roles`, {
      hint: '`ingot target check` says what the role of its user lacks.',
    });
  }
  return parseTokenId(input.tokenId ?? DEFAULT_TOKEN);
}
