import { createServer, type AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { builtInSettings } from '../../base/settings.ts';
import { hostPath, parseName } from '../../base/types.ts';
import type { RemoteVms } from '../../platforms/remote-vms.ts';
import { cloudLab } from '../../../tests/support/cloud-lab.ts';
import { parseLab } from '../read.ts';
import { findAnyLab } from '../state.ts';
import type { UpContext, UpResult } from '../up.ts';
import { labUpOn } from './up.ts';
import { deleteRemoteLab } from './use.ts';

// It begins with a publication; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const SHOP = parseName('shop', 'a lab');
const TEXT = 'lab: shop\nplatform: cloudstack:prod\nvms:\n  web: { image: web, after: db }\n  db: { image: web, memory: 512MiB }\n';

test('a lab on CloudStack is made, is the same when it is made again although its offerings are larger, and goes', async () => {
  await using lab = await cloudLab();
  const server = createServer((socket) => socket.end('SSH-2.0-test\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  using _closed = { [Symbol.dispose]: () => void server.close() };
  const { port } = server.address() as AddressInfo;
  const { publication } = await lab.publish(await lab.image(), { ssh: false });
  await using platform = await lab.open();
  const vms: RemoteVms = { ...platform.vms, access: async (vm) => ({ address: '127.0.0.1', port, user: 'debian', identity: vm.id }) };
  const context: UpContext = { ...lab.context(), settings: builtInSettings(lab.at.home) };
  const template = { publication: publication.id, reference: publication.image.reference, places: publication.places };
  const up = async (text: string): Promise<UpResult> => {
    const parsed = await parseLab({ ...context, folder: hostPath('/labs') }, hostPath('/labs/shop.yaml'), text);
    return await labUpOn(context, parsed, {
      start: true,
      replace: false,
      vms,
      sshKeys: ['ssh-ed25519 AAAA ingot'],
      templateOf: () => Promise.resolve(template),
    });
  };
  expect((await up(TEXT)).members.map(({ vm, result }) => [vm, result])).toEqual([
    ['shop-db', 'ready'],
    ['shop-web', 'ready'],
  ]);
  // Two processors are in the large offering alone.
  expect(await vms.find('shop-db')).toMatchObject({ cpus: 8, memory: 2 ** 34, asked: { cpus: 2, memory: 2 ** 29 } });
  expect((await up(TEXT)).members.every(({ result }) => result === 'unchanged')).toBe(true);
  await up(TEXT.replace('512MiB', '2GiB'));
  expect(await vms.find('shop-db')).toMatchObject({ state: 'running', memory: 2 ** 34, asked: { memory: 2 ** 31 } });
  const state = await findAnyLab(context.host, context.home, SHOP);
  if (state === undefined || !('platform' in state)) throw new Error('there is no such lab');
  await deleteRemoteLab(context, SHOP, state, vms);
  expect(lab.simulator.cloud.summary()).toMatchObject({ vms: [], rules: [], keyPairs: [] });
  expect(lab.simulator.wrong).toEqual([]);
});
