import * as z from 'zod';
import { chosenVms } from '../platforms/local/chosen.ts';
import { measureOnce, StatsMeter, vmStatsSchema, type VmStats } from '../platforms/local/stats.ts';
import { showLive } from './live-screen.ts';
import { defineOperation, type Context } from './operation.ts';
import { statsTable, type Before } from './stats-table.ts';
import { vmNamesInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm stats',
  summary: 'Show what virtual machines use: processor, memory, disk, network',
  description:
    "CPU is percent of one of the host's processors, MEMORY what the machine takes of the host's. IN USE (memory) and the network are what the guest says through its agent; a dash is what nobody tells. Disk and network count since the machine's start. With --watch, a table on the terminal that is drawn again once a second, with what flows per second; q ends it. Without a terminal, a table after the other.",
  kind: 'query',
  input: z.object({
    names: vmNamesInput,
    watch: z.boolean().default(false).describe('Go on until q or Ctrl-C').meta({ short: 'w' }),
  }),
  output: z.array(vmStatsSchema),
  examples: [
    { command: 'ingot vm stats', does: 'shows what every VM uses now' },
    { command: 'ingot vm stats web --json', does: 'the same of one, for programs' },
    { command: 'ingot vm stats --watch', does: 'shows it as it changes' },
  ],
  async run(input, context) {
    return input.watch ? watch(input.names, context) : measureOnce(context, await chosenVms(context, input.names));
  },
  render: (stats, options) => (stats.length === 0 ? 'There is no VM yet.' : statsTable(stats, options)),
});

/** Shows measurements until it is ended; returns the last one. */
async function watch(names: readonly string[], context: Context): Promise<VmStats[]> {
  const { host, signal } = context;
  const { stdin, stdout } = process;
  const meter = new StatsMeter(context);
  let last: { readonly stats: VmStats[]; readonly at: number } | undefined;
  const draw = async (options: { color: boolean; width: number }): Promise<string> => {
    // Read each time, since VMs come and go.
    const stats = await meter.measure(await chosenVms(context, names));
    const at = host.clock.monotonic();
    const before: Before = last === undefined ? { stats: [], seconds: 0 } : { stats: last.stats, seconds: (at - last.at) / 1000 };
    last = { stats, at };
    return stats.length === 0 ? 'There is no VM yet.' : statsTable(stats, options, before);
  };
  await meter.mark(await chosenVms(context, names));
  if (stdin.isTTY && stdout.isTTY && host.env['TERM'] !== 'dumb') {
    const color = (host.env['NO_COLOR'] ?? '') === '';
    const terminal = { input: stdin, write: (text: string) => context.write(text), rows: () => stdout.rows };
    const hint = 'q ends';
    await showLive(terminal, async () => `${await draw({ color, width: stdout.columns })}\n\n${hint}`, { clock: host.clock, signal });
  } else {
    for (;;) {
      await host.clock.sleep(1, signal);
      context.write(`${await draw({ color: false, width: Number.POSITIVE_INFINITY })}\n`);
    }
  }
  return last?.stats ?? [];
}
