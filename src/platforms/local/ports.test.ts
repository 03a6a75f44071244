import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IngotError } from '../../base/errors.ts';
import { openHome, type Home } from '../../base/home.ts';
import { realHost } from '../../base/host.ts';
import { hostPath } from '../../base/types.ts';
import { withFreePort, type RecordedPorts } from './ports.ts';

const host = realHost();
const recorded = (): Promise<RecordedPorts> => Promise.resolve(new Map());
let root: string;
let home: Home;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-ports-'));
  home = await openHome(host, hostPath(root));
});
afterAll(() => rm(root, { recursive: true }));

const taken = (): IngotError => new IngotError('conflict', 'port-taken', 'The port for SSH was taken by another program');

test('a port that somebody takes in the moment before it is used is left to him', async () => {
  const tried: number[] = [];
  const port = await withFreePort(host, home, { recorded }, (each) => {
    tried.push(each);
    return tried.length < 3 ? Promise.reject(taken()) : Promise.resolve(each);
  });
  expect(new Set(tried).size).toBe(3);
  expect(port).toBe(tried[2]);
});

test('when it happens again and again, it is told; what else fails is told at once', async () => {
  let tries = 0;
  const fail = (error: IngotError) => (): Promise<never> => {
    tries += 1;
    return Promise.reject(error);
  };
  await expect(withFreePort(host, home, { recorded }, fail(taken()))).rejects.toMatchObject({ code: 'port-taken' });
  expect(tries).toBe(5);
  tries = 0;
  await expect(withFreePort(host, home, { recorded }, fail(new IngotError('host', 'qemu-failed', 'No')))).rejects.toMatchObject({ code: 'qemu-failed' });
  expect(tries).toBe(1);
});
