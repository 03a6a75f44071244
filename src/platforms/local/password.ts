import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';

const LONGEST = 256;

/** Checks a password that is to be typed at a login; throws `password-invalid`, and never shows it. */
export function checkPassword(password: string): void {
  const fault =
    password === ''
      ? 'is empty'
      : password.length > LONGEST
        ? `has more than ${LONGEST} characters`
        : /\p{Cc}/u.test(password)
          ? 'has a line end, or another character that no keyboard types'
          : undefined;
  if (fault !== undefined) throw new IngotError('usage', 'password-invalid', `The password ${fault}`);
}

/** The crypt(5) hash of a password, SHA-512 with a salt of its own. The password goes through a pipe: no command line holds it. Needs openssl. */
export async function hashPassword(host: Pick<Host, 'processes'>, password: string): Promise<string> {
  checkPassword(password);
  const { stdout } = await host.processes.run(['openssl', 'passwd', '-6', '-stdin'], { stdin: `${password}\n`, secrets: [password] });
  const hash = stdout.trim();
  if (/^\$6\$[./\w]{1,16}\$[./\w]{86}$/.test(hash)) return hash;
  throw new IngotError('host', 'password-not-hashed', 'openssl gave no hash of the password', { hint: 'It needs OpenSSL 1.1.1 or later.' });
}
