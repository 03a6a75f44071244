import * as z from 'zod';
import { isToolName } from '../doctor/checks.ts';
import { installTools } from '../doctor/install.ts';
import { HOST_TOOLS, hostTool, missingTools } from '../doctor/tools.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'setup',
  summary: 'Install the tools that this host lacks',
  description: 'Names the packages, asks, and installs them by apt-get, through sudo where you are not root.',
  kind: 'job',
  input: z.strictObject({}),
  output: z.object({ installed: z.array(z.string()) }),
  examples: [
    { command: 'ingot setup', does: 'asks before it installs' },
    { command: 'ingot setup --yes', does: 'does not ask' },
  ],
  async run(_input, context) {
    const { host } = context;
    const needed = Object.keys(HOST_TOOLS)
      .filter(isToolName)
      .filter((name) => hostTool(name, host.machine.arch).needs.length > 0);
    const missing = await missingTools(host, needed);
    return { installed: missing.length === 0 ? [] : await installTools(context, missing) };
  },
  render: ({ installed }) => (installed.length === 0 ? 'Nothing is missing.' : `Installed ${installed.join(', ')}.`),
});
