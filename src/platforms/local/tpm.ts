import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { Argv } from '../../base/process.ts';
import { findProgram } from '../../base/programs.ts';
import type { GuestFiles } from './guest-spec.ts';

/** Finds swtpm; throws `tools-missing`. */
export async function findSwtpm(host: Pick<Host, 'files'>): Promise<string> {
  const path = await findProgram(host, 'swtpm');
  if (path !== undefined) return path;
  throw new IngotError('host', 'tools-missing', 'A TPM needs swtpm, which is not installed', { hint: 'Install the package swtpm, or leave --tpm away.' });
}

/** The command that is a machine's TPM until QEMU lets go of it; its state stays in a folder of the machine's. */
export function tpmCommand(program: string, files: Pick<GuestFiles, 'tpm' | 'tpmState'>): Argv {
  const state = ['--tpmstate', `dir=${files.tpmState},mode=0600`, '--ctrl', `type=unixio,path=${files.tpm},mode=0600`];
  return [program, 'socket', '--tpm2', ...state, '--flags', 'startup-clear', '--terminate'];
}
