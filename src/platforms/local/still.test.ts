import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseName } from '../../base/types.ts';
import { fakeAgent, type AgentAnswer } from '../../../tests/support/fake-agent.ts';
import { fakeDisks } from '../../../tests/support/fake-disks.ts';
import { newVm, sampleLab, type SampleLab } from '../../../tests/support/lab.ts';
import { createVm } from './create.ts';
import { freezeDisks } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { holdVm } from './power.ts';
import { holdStill } from './still.ts';
import { loadVm, rootDisk, saveVm, type VmRecord } from './vms.ts';

const web = parseName('web', 'a VM');

interface Guest extends AsyncDisposable {
  readonly lab: SampleLab;
  readonly vm: VmRecord;
  /** What happened, in order. */
  readonly story: string[];
  /** The mark in the record, as it is now. */
  mark(): Promise<VmRecord['still']>;
}

type Answers = (command: string) => AgentAnswer | Promise<AgentAnswer>;

/** A VM that seems to run, with an agent that answers, but for what `answers` says. */
async function guestWith(answers: Answers = () => ({ return: 1 })): Promise<Guest> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await sampleLab());
  const vm = await createVm(lab.context(), newVm('web'));
  const folder = lab.home.home.vm(web);
  const story: string[] = [];
  const options = { agent: true, story };
  stack.use(await fakeDisks(folder, { 'disk-root': `root-${rootDisk(vm).active}` }, options));
  const tell = (command: string) => {
    story.push(command.replace('guest-fsfreeze-', ''));
    return answers(command);
  };
  stack.use(await fakeAgent(guestFiles(folder).agent, tell));
  const all = stack.move();
  return {
    lab,
    vm,
    story,
    mark: async () => (await loadVm(lab.host, lab.home.home, web)).still,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const refuseToFreeze: Answers = (command) => (command === 'guest-fsfreeze-freeze' ? { error: { desc: 'a hook failed' } } : { return: 0 });

describe('a guest whose filesystems are frozen', () => {
  test.each(['try', 'must'] as const)('rests while the work is done, and goes on (%s)', async (flush) => {
    await using guest = await guestWith();
    {
      await using still = await holdStill(guest.lab.context(), guest.vm, { flush });
      guest.story.push('work');
      expect(still).toMatchObject({ how: 'files', vm: { still: 'files' } });
      expect(await guest.mark()).toBe('files');
      await freezeDisks(guest.lab.context(), still.vm, (record) => record);
      expect(await guest.mark()).toBe('files');
    }
    expect(guest.story).toEqual(['freeze', 'work', 'thaw']);
    expect(await guest.mark()).toBeUndefined();
    expect((await loadVm(guest.lab.host, guest.lab.home.home, web)).disks[0]?.frozen).toHaveLength(1);
  });

  test('goes on where the work fails', async () => {
    await using guest = await guestWith();
    const work = async (): Promise<void> => {
      await using _still = await holdStill(guest.lab.context(), guest.vm, { flush: 'must' });
      throw new Error('no room');
    };
    await expect(work()).rejects.toThrow('no room');
    expect(guest.story).toEqual(['freeze', 'thaw']);
  });

  test('that cannot be frozen is thawed, and the ways that are left are told', async () => {
    await using guest = await guestWith(refuseToFreeze);
    await expect(holdStill(guest.lab.context(), guest.vm, { flush: 'must' })).rejects.toMatchObject({
      code: 'guest-not-frozen',
      hint: expect.stringContaining('--stop'),
      detail: expect.stringContaining('a hook failed'),
    });
    expect(guest.story.at(-1)).toBe('thaw');
    expect(await guest.mark()).toBeUndefined();
  });

  test.each([
    ['cannot freeze them', refuseToFreeze],
    ['may not even thaw them', () => ({ error: { desc: 'a hook failed' } })],
  ] satisfies [string, Answers][])('or stands still by its processors, where that is enough and its agent %s', async (_, answers) => {
    await using guest = await guestWith(answers);
    {
      await using still = await holdStill(guest.lab.context(), guest.vm, { flush: 'try' });
      expect(still).toMatchObject({ how: 'processors', vm: { still: 'processors' } });
      expect(guest.story.slice(-2)).toEqual(['thaw', 'stop']);
      expect(guest.lab.messages.at(-1)).toContain('a hook failed');
    }
    expect(guest.story.at(-1)).toBe('cont');
    expect(await guest.mark()).toBeUndefined();
  });

  test('without an agent is not touched', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web'));
    await using _qemu = await fakeDisks(lab.home.home.vm(web), {});
    const held = holdStill(lab.context(), vm, { flush: 'must' });
    await expect(held).rejects.toMatchObject({ code: 'agent-missing', class: 'host', hint: expect.stringContaining('--crash-consistent') });
    expect(await loadVm(lab.host, lab.home.home, web)).toEqual(vm);
  });

  test('whose agent has gone is told apart', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web'));
    await using _qemu = await fakeDisks(lab.home.home.vm(web), {}, { agent: true });
    const held = holdStill(lab.context(), vm, { flush: 'must' });
    await expect(held).rejects.toMatchObject({ code: 'agent-missing', hint: expect.stringContaining('--crash-consistent') });
  });
});

describe('a guest whose ingot was killed while it stood still', () => {
  test('is thawed by the guard that was started before', { timeout: 120_000 }, async () => {
    const thawed = Promise.withResolvers<void>();
    await using guest = await guestWith((command) => {
      if (command === 'guest-fsfreeze-thaw') thawed.resolve();
      return { return: 1 };
    });
    const program = fileURLToPath(new URL('../../../tests/support/hold-and-wait.ts', import.meta.url));
    const child = spawn(process.execPath, [program, guest.lab.home.home.root, 'web'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(guest.story).toEqual(['freeze']);
    child.kill('SIGKILL');
    await thawed.promise;
    expect(guest.story).toEqual(['freeze', 'thaw']);
    expect(await guest.mark()).toBe('files');
    await using held = await holdVm(guest.lab.context(), web, 'vm stop web');
    expect(held.vm.still).toBeUndefined();
    expect(await guest.mark()).toBeUndefined();
  });

  test('is thawed by the next command, and keeps its mark where its agent does not do so', async () => {
    let refuses = true;
    await using guest = await guestWith(() => (refuses ? { error: { desc: 'busy' } } : { return: 1 }));
    await saveVm(guest.lab.host, guest.lab.home.home, { ...guest.vm, still: 'files' });
    await using first = await holdVm(guest.lab.context(), web, 'vm stop web');
    expect(first.vm.still).toBe('files');
    expect(guest.lab.messages.at(-1)).toContain('busy');
    await first[Symbol.asyncDispose]();
    refuses = false;
    await using held = await holdVm(guest.lab.context(), web, 'vm stop web');
    expect(held.vm.still).toBeUndefined();
    expect(await guest.mark()).toBeUndefined();
  });

  test('is marked, and the mark goes with the next command where its machine has ended', async () => {
    await using lab = await sampleLab();
    const vm = await createVm(lab.context(), newVm('web'));
    await saveVm(lab.host, lab.home.home, { ...vm, still: 'files' });
    await using held = await holdVm(lab.context(), web, 'vm stop web');
    expect(held.vm.still).toBeUndefined();
    expect(await loadVm(lab.host, lab.home.home, web)).toEqual(vm);
  });
});
