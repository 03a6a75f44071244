import * as z from 'zod';
import { pemOf, signingKey } from '../attest/keys.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'key show',
  summary: 'Print the public key that checks what this ingot signs',
  description:
    'For the setting trusted-keys of other machines, or with --pem for other tools. The key is made at first use; its private part never leaves the secret store.',
  kind: 'query',
  input: z.strictObject({ pem: z.boolean().default(false).describe('In PEM, as openssl reads it') }),
  output: z.strictObject({ key: z.string(), keyId: z.string(), pem: z.string().optional() }),
  examples: [
    { command: 'ingot key show', does: 'what another machine trusts: ingot config set trusted-keys ed25519:…' },
    { command: 'ingot key show --pem', does: 'the same in PEM' },
  ],
  async run(input, context) {
    const { public: key } = await signingKey(context);
    return { key: key.text, keyId: key.id, ...(input.pem ? { pem: pemOf(key) } : {}) };
  },
  render: ({ key, pem }) => pem ?? key,
});
