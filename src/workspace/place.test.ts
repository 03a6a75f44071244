import { expect, test } from 'vitest';
import { realHost } from '../base/host.ts';
import type { CommandResult } from '../base/process.ts';
import { choosePlace } from './place.ts';

/** A host with this user and system, on which sudo answers so; without an answer it is not installed. */
function chosen(machine: { uid: number; platform: NodeJS.Platform }, wanted: 'host' | 'vm' | undefined, sudo?: number) {
  const real = realHost();
  const said: string[] = [];
  const run = async (): Promise<CommandResult> => {
    if (sudo === undefined) throw new Error('not installed');
    return { stdout: '', stderr: '', exitCode: sudo };
  };
  const host = { ...real, machine: { ...real.machine, ...machine }, processes: { ...real.processes, run } };
  const events = { message: (_: string, text: string) => void said.push(text) };
  // Only what choosePlace uses of a context.
  const context: Parameters<typeof choosePlace>[0] = { host, events: Object.assign(Object.create(null), events) };
  return { choice: choosePlace(context, wanted), said };
}

test('root works on the host', async () => {
  const { choice, said } = chosen({ uid: 0, platform: 'linux' }, undefined);
  expect([await choice, said]).toEqual(['host', []]);
});

test('a user with sudo does, too', async () => {
  expect(await chosen({ uid: 1000, platform: 'linux' }, undefined, 0).choice).toBe('host');
});

test('without sudo it is the helper VM, and that is said', async () => {
  const { choice, said } = chosen({ uid: 1000, platform: 'linux' }, undefined);
  expect(await choice).toBe('vm');
  expect(said).toEqual(['Disks are opened in the helper VM, since you are not root and there is no sudo.']);
});

test('what was asked for is not argued with, where it can be', async () => {
  expect(await chosen({ uid: 0, platform: 'linux' }, 'vm').choice).toBe('vm');
  await expect(chosen({ uid: 501, platform: 'darwin' }, 'host').choice).rejects.toMatchObject({ code: 'host-unsupported' });
  expect(await chosen({ uid: 501, platform: 'darwin' }, undefined).choice).toBe('vm');
});
