import { IngotError } from '../../base/errors.ts';
import { quoteCommand } from '../../base/process.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { GuestRoot, RunInRootOptions } from '../../workspace/guest-root.ts';

/** Runs a command of a recipe. Those of ingot say in their last line what is wrong: that is the error, and the script behind it is left out. */
export async function runCommand(root: GuestRoot, { label, argv }: GuestCommand, options: RunInRootOptions = {}): Promise<void> {
  try {
    await root.run(argv, options);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'command-failed') throw error;
    const detail = argv[0] === 'sh' ? error.detail?.replace(`$ ${quoteCommand(argv)}\n`, () => '') : error.detail;
    const lines = detail?.trim().split('\n') ?? [];
    const said = lines.at(-1)?.trim().replace(/\.$/, '');
    throw new IngotError('command', 'change-failed', said === undefined || said === '' ? `${label} failed` : `${label}: ${said}`, {
      cause: error,
      ...(lines.length <= 1 ? {} : { detail: lines.join('\n') }),
    });
  }
}
