import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { HostPath } from '../../base/types.ts';
import { withAgent, type Agent } from './agent.ts';

/** What a guest says about itself; what its agent does not tell is not there. */
export interface AgentStats {
  /** Bytes in use: all but what programs could have at once (MemTotal - MemAvailable). */
  readonly memoryUsed?: number;
  /** Bytes of all network cards since the guest's start, without the loopback device. */
  readonly network?: { readonly received: number; readonly sent: number };
}

const interfacesSchema = z.array(z.object({ name: z.string(), statistics: z.object({ 'rx-bytes': z.number(), 'tx-bytes': z.number() }).optional() }));
const readSchema = z.object({ 'buf-b64': z.string() });

/** Asks a guest's agent; empty where none answers in time. */
export async function agentStats(host: Host, socket: HostPath, seconds: number, signal: AbortSignal): Promise<AgentStats> {
  const stats = withAgent(
    host,
    socket,
    async (agent): Promise<AgentStats> => {
      const network = await orNothing(networkBytes(agent, seconds));
      const memoryUsed = await orNothing(usedMemory(agent, seconds));
      return { ...(network === undefined ? {} : { network }), ...(memoryUsed === undefined ? {} : { memoryUsed }) };
    },
    { seconds, signal },
  );
  return (await orNothing(stats)) ?? {};
}

/** An agent that is not there, or refuses (distributions forbid some commands), has nothing to say. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof IngotError && error.code.startsWith('agent-')) return undefined;
    throw error;
  }
}

async function networkBytes(agent: Agent, seconds: number): Promise<AgentStats['network']> {
  const interfaces = interfacesSchema.parse(await agent.execute('guest-network-get-interfaces', undefined, seconds));
  const cards = interfaces.filter(({ name, statistics }) => name !== 'lo' && statistics !== undefined);
  if (cards.length === 0) return undefined;
  const sum = (key: 'rx-bytes' | 'tx-bytes'): number => cards.reduce((total, { statistics }) => total + (statistics?.[key] ?? 0), 0);
  return { received: sum('rx-bytes'), sent: sum('tx-bytes') };
}

/** By reading a file: unlike running a program, this leaves no trace in the guest. */
async function usedMemory(agent: Agent, seconds: number): Promise<number | undefined> {
  const handle = z.int().parse(await agent.execute('guest-file-open', { path: '/proc/meminfo', mode: 'r' }, seconds));
  try {
    const { 'buf-b64': text } = readSchema.parse(await agent.execute('guest-file-read', { handle, count: 4096 }, seconds));
    return usedOf(Buffer.from(text, 'base64').toString('utf8'));
  } finally {
    await orNothing(agent.execute('guest-file-close', { handle }, seconds));
  }
}

/** Bytes in use by /proc/meminfo (proc(5)); undefined where it does not say. */
export function usedOf(meminfo: string): number | undefined {
  const of = (key: string): number | undefined => {
    const digits = new RegExp(`^${key}:\\s*(\\d+) kB$`, 'm').exec(meminfo)?.[1];
    return digits === undefined ? undefined : Number(digits) * 1024;
  };
  const [total, available] = [of('MemTotal'), of('MemAvailable')];
  return total === undefined || available === undefined ? undefined : total - available;
}
