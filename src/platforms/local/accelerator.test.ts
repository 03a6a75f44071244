import { describe, expect, test } from 'vitest';
import { IngotError } from '../../base/errors.ts';
import { Events, type Event } from '../../base/events.ts';
import type { Host } from '../../base/host.ts';
import type { Argv, CommandResult } from '../../base/process.ts';
import { sampleHome, type SampleHome } from '../../../tests/support/sample-images.ts';
import { accelerator } from './accelerator.ts';
import { PROBE_EXIT_CODE, probeDisk } from './probe-sector.ts';

interface FakeMachine {
  readonly arch?: string;
  readonly platform?: NodeJS.Platform;
  readonly kvm?: boolean;
  boot?: string;
  /** Date of QEMU's file, in seconds. */
  qemu?: number;
  answer(argv: Argv): CommandResult;
}

/** A home on a machine that is pretended; counts how often a guest is started. */
function pretend({ host, home }: SampleHome, machine: FakeMachine) {
  const started: Argv[] = [];
  const messages: string[] = [];
  const fake: Host = {
    ...host,
    machine: { ...host.machine, arch: machine.arch ?? 'amd64', platform: machine.platform ?? 'linux' },
    files: {
      ...host.files,
      async status(path) {
        const there = { size: 1, allocated: 1, modified: new Date((machine.qemu ?? 0) * 1000), kind: 'file', mode: 0o755, inode: 1, version: '1' } as const;
        if (path === '/dev/kvm') return machine.kvm === false ? undefined : there;
        return path.startsWith('/usr/bin/qemu-system-') ? there : path.includes('/qemu-system-') ? undefined : host.files.status(path);
      },
      read: async (path) => (path === '/proc/sys/kernel/random/boot_id' ? Buffer.from(`${machine.boot ?? 'boot-1'}\n`) : host.files.read(path)),
    },
    processes: {
      ...host.processes,
      async run(argv) {
        if (argv[0] === 'sysctl') return { stdout: 'session-1\n', stderr: '', exitCode: 0 };
        started.push(argv);
        return machine.answer(argv);
      },
    },
  };
  const sink = (event: Event): void => void (event.type === 'message' && messages.push(event.text));
  return { context: { host: fake, home, events: new Events('test', sink, fake) }, started, messages };
}

const PASSED: CommandResult = { stdout: '', stderr: '', exitCode: PROBE_EXIT_CODE };
const hang = (): never => {
  throw new IngotError('timeout', 'command-timeout', 'qemu-system-x86_64 did not end within 5 s');
};

describe('amd64 on Linux', () => {
  test('KVM is proven by a guest that ran, once for this boot and this QEMU', async () => {
    await using sample = await sampleHome();
    const machine: FakeMachine = { answer: () => PASSED };
    const { context, started, messages } = pretend(sample, machine);
    expect(await accelerator(context, 'amd64')).toEqual({ kind: 'kvm', proven: true, reason: 'a 64-bit guest ran with KVM' });
    expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'kvm', proven: true });
    expect(started).toHaveLength(1);
    machine.boot = 'boot-2';
    await accelerator(context, 'amd64');
    expect(started).toHaveLength(2);
    machine.qemu = 99;
    await accelerator(context, 'amd64');
    expect(started).toHaveLength(3);
    expect(messages).toEqual([]);
  });

  test('a guest that does not get through means emulation, said each time and tried once', async () => {
    await using sample = await sampleHome();
    const { context, started, messages } = pretend(sample, { answer: hang });
    for (const _ of [1, 2]) expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'tcg', reason: expect.stringContaining('did not get through') });
    expect(started).toHaveLength(1);
    expect(messages).toHaveLength(2);
    expect(messages[0]).toContain('Software emulation (TCG)');
  });

  test("what a user can mend is tried again, and QEMU's words are told", async () => {
    await using sample = await sampleHome();
    let allowed = false;
    const { context } = pretend(sample, {
      answer: () => {
        if (allowed) return PASSED;
        throw new IngotError('command', 'command-failed', 'failed', { detail: '$ qemu …\nqemu-system-x86_64: failed to initialize kvm: Permission denied' });
      },
    });
    expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'tcg', reason: 'KVM cannot be used: failed to initialize kvm: Permission denied' });
    allowed = true;
    expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'kvm' });
  });

  test('a guest that ends without its result proves nothing', async () => {
    await using sample = await sampleHome();
    const { context } = pretend(sample, { answer: () => ({ ...PASSED, exitCode: 0 }) });
    expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'tcg' });
  });

  test('without /dev/kvm nothing is started', async () => {
    await using sample = await sampleHome();
    const { context, started } = pretend(sample, { kvm: false, answer: () => PASSED });
    expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'tcg', reason: expect.stringContaining('/dev/kvm is not there') });
    expect(started).toEqual([]);
  });

  test('a damaged memory is replaced', async () => {
    await using sample = await sampleHome();
    await sample.host.files.write(sample.home.accelerator, '{"v":1,"verd');
    const { context, started } = pretend(sample, { answer: () => PASSED });
    for (const _ of [1, 2]) expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'kvm' });
    expect(started).toHaveLength(1);
  });
});

test('another architecture is emulated', async () => {
  await using sample = await sampleHome();
  const { context } = pretend(sample, { answer: () => PASSED });
  expect(await accelerator(context, 'arm64')).toMatchObject({ kind: 'tcg', reason: 'an arm64 guest on an amd64 host has to be emulated' });
});

test('on arm64 opening is all that is claimed', async () => {
  await using sample = await sampleHome();
  const { context } = pretend(sample, { arch: 'arm64', answer: () => ({ ...PASSED, exitCode: 0 }) });
  for (const _ of [1, 2]) expect(await accelerator(context)).toEqual({ kind: 'kvm', proven: false, reason: 'QEMU opened KVM; no guest was run to prove it' });
});

test('on a Mac it is HVF', async () => {
  await using sample = await sampleHome();
  const { context, started } = pretend(sample, { platform: 'darwin', kvm: false, answer: () => PASSED });
  expect(await accelerator(context, 'amd64')).toMatchObject({ kind: 'hvf', proven: true });
  expect(started[0]).toContain('hvf');
});

test('QEMU missing is told before anything else', async () => {
  await using sample = await sampleHome();
  const { context } = pretend(sample, { answer: () => PASSED });
  const host: Host = { ...context.host, files: { ...context.host.files, status: async () => undefined } };
  await expect(accelerator({ ...context, host }, 'amd64')).rejects.toMatchObject({ code: 'qemu-missing' });
});

test('the probe is a bootable disk', () => {
  const disk = Buffer.from(probeDisk());
  expect(disk.length).toBe(2 ** 20);
  expect(disk.readUInt16LE(510)).toBe(0xaa55);
  expect(disk.subarray(220, 510).every((byte) => byte === 0)).toBe(true);
});
