import { fileURLToPath } from 'node:url';
import { quoteCommand, type Argv } from '../../base/process.ts';
import type { HostPath } from '../../base/types.ts';

declare const INGOT_HELPER_SHELL: string | undefined;

/** The program's file: a chunk of the bundle, else its source. */
function shellProgram(): string {
  const relative = typeof INGOT_HELPER_SHELL === 'undefined' ? './shell-program.ts' : INGOT_HELPER_SHELL;
  return fileURLToPath(new URL(relative, import.meta.url));
}

/** Makes command lines that run a command in the helper VM with the user's terminal, through the VM's socket for shells. */
export function shellCommand(socket: HostPath): (argv: Argv) => Argv {
  return (argv) => [process.execPath, shellProgram(), socket, quoteCommand(argv)];
}
