import * as z from 'zod';
import { hostProcesses } from '../../src/base/process.ts';
import { newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';
import { timed } from '../run-command.ts';

const IMAGE = 'debian-12';

/** Seconds from the command until an SSH server has introduced itself on the VM's port. */
async function createToAnswer(bench: Bench, env: Readonly<Record<string, string>>, name: string, flags: readonly string[]): Promise<number> {
  const start = performance.now();
  const { stdout } = await timed([bench.ingot, 'vm', 'create', name, '--image', IMAGE, '--json', '--quiet', ...flags], env);
  const { ssh } = z.object({ ssh: z.object({ port: z.int() }) }).parse(JSON.parse(stdout));
  try {
    // Any answer of the server's is one, also to a client without a key.
    for (;;) {
      const { stdout: keys } = await hostProcesses.run(['ssh-keyscan', '-T', '600', '-t', 'ed25519', '-p', String(ssh.port), '127.0.0.1'], { accept: [1] });
      if (keys.includes('ssh-ed25519')) return (performance.now() - start) / 1000;
    }
  } finally {
    await timed([bench.ingot, 'vm', 'delete', name, '--force', '--quiet'], env);
  }
}

async function measure(bench: Bench): Promise<Measured> {
  const env = await newHome(bench, 'warm-start', 'base');
  bench.say('preparing: a machine to start from');
  await timed([bench.ingot, 'image', 'warm', IMAGE, '--quiet'], env);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 1; round <= bench.rounds; round++) {
    bench.say(`round ${round}: cold`);
    theirs.push(await createToAnswer(bench, env, `cold-${round}`, []));
    bench.say(`round ${round}: warm`);
    ours.push(await createToAnswer(bench, env, `warm-${round}`, ['--warm']));
  }
  return { unit: 's', ours, theirs };
}

export const warmStart: Row = {
  name: 'vm-warm',
  what: 'vm create --warm until SSH answers',
  against: 'vm create of the same image, which boots',
  target: { ratio: 0.05, value: 3 },
  measure,
};
