import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Events } from '../../src/base/events.ts';
import { openHome } from '../../src/base/home.ts';
import { realHost } from '../../src/base/host.ts';
import { hostProcesses } from '../../src/base/process.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import { hostPath } from '../../src/base/types.ts';
import { startHelperVm } from '../../src/workspace/vm/start.ts';
import { BUILD, FIRST_STEP, fillHelperVm, newHome } from '../homes.ts';
import type { Bench, Measured, Row } from '../row.ts';

/** Seconds from the command until its first step says something. */
async function untilFirstStep(bench: Bench, template: string, word: string, env: Readonly<Record<string, string>>): Promise<number> {
  const flags = BUILD.filter((flag) => flag !== '--quiet');
  const argv = [bench.ingot, 'build', template, '--workspace', 'vm', '--var', `word=${word}`, '--verbose', ...flags] as const;
  const start = performance.now();
  const running = hostProcesses.spawn(argv, { env: { HOME: process.env['HOME'] ?? '/root', ...env }, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' });
  let said = '';
  let seconds: number | undefined;
  running.stderr?.on('data', (data: Buffer) => {
    said += data.toString('utf8');
    if (said.includes(`${FIRST_STEP}: ${word}`)) seconds ??= (performance.now() - start) / 1000;
  });
  const { exitCode } = await running.ended;
  if (seconds === undefined || exitCode !== 0) throw new Error(`the build did not run its step (exit code ${exitCode}):\n${said}`);
  return seconds;
}

/** Seconds until the helper VM, made already, has booted and takes a command; no RAM is saved. */
async function boot(bench: Bench, home: string): Promise<number> {
  const host = realHost();
  const opened = await openHome(host, hostPath(home));
  const events = new Events('bench', () => undefined, host);
  const context = { host, home: opened, settings: builtInSettings(opened), events, signal: new AbortController().signal };
  const scratch = hostPath(join(bench.folder, 'helper-boot'));
  await mkdir(scratch, { recursive: true });
  const start = performance.now();
  const vm = await startHelperVm(context, { scratch, offline: true, boot: true });
  const seconds = (performance.now() - start) / 1000;
  await vm[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true });
  return seconds;
}

async function measure(bench: Bench): Promise<Measured> {
  const template = await fillHelperVm(bench);
  const env = await newHome(bench, 'first-step', 'base');
  // Once before: whoever uses it often has its files in memory.
  await untilFirstStep(bench, template, 'first', env);
  const states = await Promise.all(
    (await readdir(join(env.INGOT_HOME, 'cache', 'helper'))).map((name) => readdir(join(env.INGOT_HOME, 'cache', 'helper', name)).catch(() => [])),
  );
  if (!states.flat().some((name) => name.startsWith('ram-'))) throw new Error("the helper VM's RAM was not saved");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    bench.say(`round ${round}: booting the helper VM`);
    theirs.push(await boot(bench, env.INGOT_HOME));
    bench.say(`round ${round}: from command to first step, resumed`);
    for (const word of ['a', 'b', 'c']) ours.push(await untilFirstStep(bench, template, `${word}${round}`, env));
  }
  await rm(env.INGOT_HOME, { recursive: true });
  return { unit: 's', ours, theirs, note: 'ours: the whole command until its step speaks; booting: the VM alone until it takes a command' };
}

export const helperVmStart: Row = {
  name: 'helper-vm-start',
  what: 'helper VM: from command to first step running, RAM snapshot valid',
  against: 'booting it',
  target: { ratio: 0.15, value: 3 },
  measure,
};
