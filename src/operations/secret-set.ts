import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { checkSecretValue, LARGEST_SECRET, openSecrets, parseSecretName } from '../base/secrets.ts';
import { formatSize } from '../base/types.ts';
import { clientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';

const VALUE_IS_NO_WORD = 'the value is never a word of the command line, which others can see: it is typed, piped in, or read with --from-file';
/** More is no secret; larger than one may be, so that it is refused in its own words. */
const READ_LIMIT = 2 * LARGEST_SECRET;

export default defineOperation({
  name: 'secret set',
  summary: 'Store a secret, encrypted',
  description:
    'The value is typed without echo, or piped in, or read from a file; never a word of the command line, which others can see. A line end after a single line is not part of it. The store is an age file in the home: a key file beside it (keys/secrets.key, made at first use) opens it, or a passphrase.',
  kind: 'query',
  input: z.strictObject({
    name: z.string().meta({ positional: true, nothingAfter: VALUE_IS_NO_WORD }).describe('Name of the secret: letters, digits, dashes, underscores'),
    fromFile: clientFile.optional().describe('Read the value from a file'),
    passphrase: z.boolean().default(false).describe('Lock the store by a passphrase (asked for, or INGOT_SECRETS_PASSPHRASE); only with the first secret'),
  }),
  output: z.strictObject({ name: z.string(), change: z.enum(['added', 'replaced']) }),
  examples: [
    { command: 'ingot secret set registry-token', does: 'type it' },
    { command: 'pass show registry | ingot secret set registry-token', does: 'take it from another store' },
    { command: 'ingot secret set deploy-key --from-file ~/.ssh/deploy', does: 'a value of several lines' },
  ],
  async run(input, context) {
    // Before anything is typed.
    const name = parseSecretName(input.name);
    const value = await valueOf(input.fromFile, name, context);
    checkSecretValue(value);
    return { name, change: await openSecrets(context).set(name, value, { passphrase: input.passphrase }) };
  },
  render: ({ name, change }) => `${name} is ${change === 'added' ? 'stored' : 'replaced'}`,
});

async function valueOf(file: string | undefined, name: string, context: Context): Promise<string> {
  const bytes = file === undefined ? await context.standardInput(READ_LIMIT) : await contentOf(file, context);
  if (bytes === undefined) {
    return context.askHidden(`Value of ${name}`, { repeat: true, otherwise: 'Where nobody can type it, pipe it in, or use --from-file.' });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new IngotError('usage', 'secret-value-invalid', 'The value is no text: it is not UTF-8', { hint: 'Nothing was changed. Store it as base64.' });
  }
  // Who pipes a password gives a line; a key of several lines needs its last line end.
  return text.replace(/^([^\r\n]*)\r?\n$/, '$1');
}

async function contentOf(file: string, { host }: Context): Promise<Uint8Array> {
  const status = await host.files.status(file);
  if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no file ${file}`);
  if (status.kind === 'directory') throw new IngotError('usage', 'file-is-folder', `${file} is a folder, not a file`);
  if (status.kind === 'file' && status.size > READ_LIMIT) {
    throw new IngotError('usage', 'secret-value-invalid', `${file} is larger than a secret may be: ${formatSize(LARGEST_SECRET)}`);
  }
  return host.files.read(file);
}
