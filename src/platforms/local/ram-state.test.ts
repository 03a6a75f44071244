import { connect, createServer, type Server } from 'node:net';
import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realHost } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { QmpClient } from './qmp.ts';
import { hasRamState, removeRamState, restoreRamState, saveRamState } from './ram-state.ts';

const host = realHost();
let folder: string;
let state: HostPath;
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ram-state-'));
  state = hostPath(join(folder, 'state'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

/** A monitor that answers as QEMU does; `memory` is what it migrates, and without it the migration fails. */
async function monitor(
  version: { major: number; minor: number },
  memory: Buffer | undefined,
): Promise<{ qmp: QmpClient; heard: { execute: string; arguments?: { uri?: string } }[] }> {
  const heard: { execute: string; arguments?: { uri?: string } }[] = [];
  const path = join(folder, `qmp-${servers.length}`);
  const server = createServer((socket) => {
    const send = (message: unknown): void => void socket.write(`${JSON.stringify(message)}\n`);
    send({ QMP: { version: { qemu: { ...version, micro: 0 } } } });
    let status = 'active';
    socket.on('data', (data) => {
      for (const line of String(data)
        .split('\n')
        .filter((text) => text !== '')) {
        const command = JSON.parse(line);
        heard.push(command);
        const uri: string | undefined = command.arguments?.uri;
        if (command.execute === 'migrate' && uri !== undefined) {
          if (memory === undefined) status = 'failed';
          else connect(uri.replace('unix:', '')).end(memory, () => (status = 'completed'));
        }
        if (command.execute === 'migrate-incoming') status = memory === undefined ? 'failed' : 'completed';
        send({ return: command.execute === 'query-migrate' ? { status, ...(status === 'failed' ? { 'error-desc': 'no room' } : {}) } : {}, id: command.id });
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { qmp: await QmpClient.connect(path), heard };
}

test('a state is written whole, and only then there', async () => {
  const memory = Buffer.alloc(3 * 2 ** 20, 'memory');
  const { qmp, heard } = await monitor({ major: 7, minor: 2 }, memory);
  expect(await hasRamState(host, state)).toBe('missing');
  expect(await saveRamState(host, qmp, state, { socket: hostPath(join(folder, 's')) })).toBe(memory.length);
  expect(Buffer.from(await host.files.read(state)).equals(memory)).toBe(true);
  expect(await hasRamState(host, state)).toBe('whole');
  expect((await host.files.status(state))?.mode).toBe(0o600);
  expect(heard.map(({ execute }) => execute).filter((name) => name !== 'query-migrate')).toEqual([
    'qmp_capabilities',
    'stop',
    'migrate-set-parameters',
    'migrate',
  ]);
  expect((await host.files.list(folder)).filter((name) => !name.startsWith('qmp'))).toEqual(['state', 'state.json']);
  qmp.close();
});

test('a state that cannot be saved leaves nothing', async () => {
  const { qmp } = await monitor({ major: 7, minor: 2 }, undefined);
  await expect(saveRamState(host, qmp, state, { socket: hostPath(join(folder, 's')) })).rejects.toMatchObject({
    code: 'ram-state-unsaved',
    message: "QEMU could not move the machine's state: no room",
  });
  expect((await host.files.list(folder)).filter((name) => !name.startsWith('qmp'))).toEqual([]);
  qmp.close();
});

test('a state that was changed is not used', async () => {
  const { qmp } = await monitor({ major: 7, minor: 2 }, Buffer.from('memory'));
  await saveRamState(host, qmp, state, { socket: hostPath(join(folder, 's')) });
  qmp.close();
  await host.files.truncate(state, 3);
  expect(await hasRamState(host, state)).toBe('changed');
  await host.files.write(state, 'yromem');
  await utimes(state, 1, 1);
  expect(await hasRamState(host, state)).toBe('changed');
  await removeRamState(host, state);
  expect(await hasRamState(host, state)).toBe('missing');
});

test.each([
  [{ major: 7, minor: 2 }, 'fd:0'],
  [{ major: 9, minor: 0 }, 'fd:0'],
  [{ major: 9, minor: 1 }, 'file:'],
  [{ major: 10, minor: 0 }, 'file:'],
])('QEMU %j is told to read %s, then goes on', async (version, uri) => {
  const { qmp, heard } = await monitor(version, Buffer.from('memory'));
  await restoreRamState(host, qmp, state);
  expect(heard.find(({ execute }) => execute === 'migrate-incoming')?.arguments?.uri).toBe(uri === 'file:' ? `file:${state}` : uri);
  expect(heard.at(-1)?.execute).toBe('cont');
  qmp.close();
});

test('memory that is a file of its own is left out, by whoever saves and by whoever restores', async () => {
  const saving = await monitor({ major: 7, minor: 2 }, Buffer.from('devices'));
  await saveRamState(host, saving.qmp, state, { socket: hostPath(join(folder, 's')), memoryApart: true });
  const restoring = await monitor({ major: 7, minor: 2 }, Buffer.from('devices'));
  await restoreRamState(host, restoring.qmp, state, { memoryApart: true });
  for (const { heard, qmp } of [saving, restoring]) {
    const names = heard.map(({ execute }) => execute);
    expect(names.indexOf('migrate-set-capabilities')).toBeGreaterThan(0);
    expect(names.indexOf('migrate-set-capabilities')).toBeLessThan(names.findIndex((name) => name === 'migrate' || name === 'migrate-incoming'));
    qmp.close();
  }
});

test('a state that QEMU refuses is named', async () => {
  const { qmp } = await monitor({ major: 7, minor: 2 }, undefined);
  await expect(restoreRamState(host, qmp, state)).rejects.toMatchObject({ code: 'ram-state-refused' });
  qmp.close();
});
