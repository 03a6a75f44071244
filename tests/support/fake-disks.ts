import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import * as z from 'zod';
import type { HostPath } from '../../src/base/types.ts';
import { guestFiles } from '../../src/platforms/local/guest-spec.ts';
import { writeFile } from 'node:fs/promises';

const messageSchema = z.object({ execute: z.string(), arguments: z.record(z.string(), z.unknown()).optional(), id: z.int() });
const actionsSchema = z.object({ actions: z.array(z.object({ data: z.object({ node: z.string(), overlay: z.string() }) })) });

/**
 * A pretended QEMU of a VM's folder that knows of disks what freezing them asks for: which node each device writes to; and whether its processors run,
 * and an agent has opened its port.
 */
export async function fakeDisks(
  folder: HostPath,
  nodes: Readonly<Record<string, string>>,
  { agent = false, story = [] }: { readonly agent?: boolean; readonly story?: string[] } = {},
): Promise<AsyncDisposable & { readonly current: Record<string, string> }> {
  const files = guestFiles(folder);
  const current = { ...nodes };
  const known = new Set(Object.values(current));
  let status = 'running';
  const answer = (command: string, parameters: Readonly<Record<string, unknown>>): unknown => {
    if (command === 'query-block') {
      return Object.entries(current).map(([device, node]) => ({ qdev: `/machine/peripheral/${device}/virtio-backend`, inserted: { 'node-name': node } }));
    }
    if (command === 'query-named-block-nodes') return [...known].map((node) => ({ 'node-name': node }));
    if (command === 'query-status') return { status };
    if (command === 'query-chardev') return [{ label: 'agent', 'frontend-open': agent }];
    if (command === 'stop' || command === 'cont') {
      story.push(command);
      status = command === 'stop' ? 'paused' : 'running';
    }
    if (command === 'blockdev-add') known.add(String(parameters['node-name']));
    if (command === 'transaction') {
      for (const { data } of actionsSchema.parse(parameters).actions) {
        for (const [device, node] of Object.entries(current)) if (node === data.node) current[device] = data.overlay;
      }
    }
    return {};
  };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\n');
    socket.on('data', (data) => {
      for (const line of String(data).trim().split('\n')) {
        const { execute, arguments: parameters = {}, id } = messageSchema.parse(JSON.parse(line));
        socket.write(`${JSON.stringify({ return: answer(execute, parameters), id })}\n`);
      }
    });
  });
  server.listen(files.qmp);
  await once(server, 'listening');
  // What says that a QEMU runs is a process whose command line names its pid file.
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', files.pid], { stdio: 'ignore' });
  await once(child, 'spawn');
  await writeFile(files.pid, `${child.pid}\n`);
  return {
    current,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      server.close();
    },
  };
}
