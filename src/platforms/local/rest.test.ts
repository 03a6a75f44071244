import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { parseName } from '../../base/types.ts';
import { fakeAgent, type AgentAnswer } from '../../../tests/support/fake-agent.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { createVm } from './create.ts';
import { guestFiles } from './guest-spec.ts';
import { whileAtRest } from './rest.ts';
import { holdVm } from './power.ts';
import type { VmRecord } from './vms.ts';

const web = parseName('web', 'a VM');

interface Guest extends AsyncDisposable {
  readonly lab: SampleLab;
  readonly vm: VmRecord;
  /** What happened, in order. */
  readonly story: string[];
  readonly files: ReturnType<typeof guestFiles>;
}

/** A VM with an agent that answers, but for what `answers` says. */
async function guestWith(answers: (command: string) => AgentAnswer | Promise<AgentAnswer> = () => ({ return: 1 })): Promise<Guest> {
  const lab = await sampleLab();
  const vm = await createVm(lab.context(), newVm('web'));
  const files = guestFiles(lab.home.home.vm(web));
  const story: string[] = [];
  const agent = await fakeAgent(files.agent, (command) => {
    story.push(command.replace('guest-fsfreeze-', ''));
    return answers(command);
  });
  return {
    lab,
    vm,
    story,
    files,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

describe('a guest', () => {
  test('rests while the work is done, and goes on', async () => {
    await using guest = await guestWith();
    const result = await whileAtRest(guest.lab.context(), guest.vm, async () => {
      guest.story.push('work');
      expect(await guest.lab.host.files.status(guest.files.frozen)).toBeDefined();
      return 7;
    });
    expect(result).toBe(7);
    expect(guest.story).toEqual(['freeze', 'work', 'thaw']);
    expect(await guest.lab.host.files.status(guest.files.frozen)).toBeUndefined();
  });

  test('goes on where the work fails', async () => {
    await using guest = await guestWith();
    await expect(whileAtRest(guest.lab.context(), guest.vm, () => Promise.reject(new Error('no room')))).rejects.toThrow('no room');
    expect(guest.story).toEqual(['freeze', 'thaw']);
  });

  test('that cannot be frozen is thawed, and the ways that are left are told', async () => {
    await using guest = await guestWith((command) => (command === 'guest-fsfreeze-freeze' ? { error: { desc: 'a hook failed' } } : { return: 0 }));
    const done = whileAtRest(guest.lab.context(), guest.vm, () => Promise.reject(new Error('never')));
    await expect(done).rejects.toMatchObject({
      code: 'guest-not-frozen',
      hint: expect.stringContaining('--stop'),
      detail: expect.stringContaining('a hook failed'),
    });
    expect(guest.story.at(-1)).toBe('thaw');
  });

  test('without an agent is not touched', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web'));
    const done = whileAtRest(lab.context(), vm, () => Promise.reject(new Error('never')));
    await expect(done).rejects.toMatchObject({ code: 'agent-missing', class: 'host', hint: expect.stringContaining('--crash-consistent') });
  });
});

describe('a guest whose ingot was killed while it rested', () => {
  test('is thawed by the guard that was started before', { timeout: 120_000 }, async () => {
    const thawed = Promise.withResolvers<void>();
    await using guest = await guestWith((command) => {
      if (command === 'guest-fsfreeze-thaw') thawed.resolve();
      return { return: 1 };
    });
    const program = fileURLToPath(new URL('../../../tests/support/rest-and-wait.ts', import.meta.url));
    const child = spawn(process.execPath, [program, guest.lab.home.home.root, 'web'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(guest.story).toEqual(['freeze']);
    child.kill('SIGKILL');
    await thawed.promise;
    expect(guest.story).toEqual(['freeze', 'thaw']);
    await vi.waitUntil(async () => (await guest.lab.host.files.status(guest.files.frozen)) === undefined, { timeout: 60_000 });
  });

  test('is marked, and the mark goes with the next command where its machine has ended', async () => {
    await using guest = await guestWith();
    await guest.lab.host.files.write(guest.files.frozen, '');
    await using _held = await holdVm(guest.lab.context(), web, 'vm stop web');
    expect(await guest.lab.host.files.status(guest.files.frozen)).toBeUndefined();
    expect(guest.story).toEqual([]);
  });
});
