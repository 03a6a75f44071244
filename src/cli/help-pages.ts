import { loadOperation, REGISTRY } from '../operations/registry.ts';
import { renderCommandHelp, renderGroupHelp, renderTopHelp, type HelpRendering } from './help.ts';

// Set by tools/bundle.ts from the declarations, so that the help need not load every operation.
declare const INGOT_SUMMARIES: Readonly<Record<string, string>> | undefined;

const DESCRIPTION = 'ingot builds golden VM images, proves them by booting, and runs them.';

/** The help page of a command, of a group of commands (`image`), or of everything (empty name). */
export async function helpFor(command: string, options: HelpRendering): Promise<string> {
  if (REGISTRY[command] !== undefined) return renderCommandHelp(await loadOperation(command), options);
  const names = Object.keys(REGISTRY).filter((name) => command === '' || name.startsWith(`${command} `));
  const commands = await Promise.all(names.map(async (name) => ({ name, summary: await summaryOf(name), group: REGISTRY[name]?.group ?? ('shell' as const) })));
  return command === '' ? renderTopHelp(DESCRIPTION, commands, options) : renderGroupHelp(command, commands, options);
}

async function summaryOf(name: string): Promise<string> {
  const compiled = typeof INGOT_SUMMARIES === 'undefined' ? undefined : INGOT_SUMMARIES[name];
  return compiled ?? (await loadOperation(name)).summary;
}
