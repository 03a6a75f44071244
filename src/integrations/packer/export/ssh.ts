import { args, Code, Interpolated, type HclArgument, type HclValue } from '../hcl/document.ts';

/** The file with the private key that a project has for itself. */
export const KEY_FILE = 'build_key';

const LOGIN: Readonly<Record<string, HclValue>> = {
  ssh_username: new Code('var.ssh_username'),
  ssh_private_key_file: new Interpolated(new Code('path.root'), `/${KEY_FILE}`),
};

/**
 * How Packer waits for the machine and logs in: long enough for an installation by emulation, and past the many handshakes that an installer's own
 * SSH server, or a machine that starts twice, answers wrongly.
 */
export function ssh(login: Readonly<Record<string, HclValue>> = LOGIN): HclArgument[] {
  return args({
    ...login,
    ssh_timeout: new Code('var.ssh_timeout'),
    ssh_handshake_attempts: 100,
    ssh_pty: true,
  });
}
