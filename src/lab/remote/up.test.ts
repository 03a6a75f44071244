import { createServer, type AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { hostPath, parseName } from '../../base/types.ts';
import type { RemoteVms } from '../../platforms/remote-vms.ts';
import { builtInSettings } from '../../base/settings.ts';
import { publishLab, type PublishLab } from '../../../tests/support/publish-lab.ts';
import { parseLab } from '../read.ts';
import { findAnyLab, loadLab, type RemoteLabState } from '../state.ts';
import type { UpContext, UpResult } from '../up.ts';
import { labUpOn } from './up.ts';
import { deleteRemoteLab, execInRemoteLab, restoreRemoteLab, snapshotRemoteLab, stopRemoteLab, viewRemoteLab } from './use.ts';

// Each begins with a publication, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const SHOP = parseName('shop', 'a lab');
const FILE = hostPath('/labs/shop.yaml');
const TWO =
  'lab: shop\nplatform: proxmox:home\nvms:\n  web: { image: web, count: 2, after: db, scripts: [{ run: echo hello }] }\n  db: { image: web, memory: 512MiB }\n';

interface Remote extends AsyncDisposable {
  readonly lab: PublishLab;
  readonly vms: RemoteVms;
  readonly asked: string[];
  context(): UpContext;
  up(text: string, options?: { replace?: boolean }): Promise<UpResult>;
  state(): Promise<RemoteLabState>;
}

/** A simulated target with the template `web`, whose guests say what an SSH server says. */
async function remote(): Promise<Remote> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await publishLab());
  const server = createServer((socket) => socket.end('SSH-2.0-test\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { publication } = await lab.publish(await lab.image());
  const platform = stack.use(await lab.open());
  const vms: RemoteVms = { ...platform.vms, access: async (vm) => ({ address: '127.0.0.1', port, user: 'debian', identity: vm.id }) };
  const asked: string[] = [];
  const context = (): UpContext => ({
    ...lab.context(),
    settings: builtInSettings(lab.at.home),
    consent: (question) => Promise.resolve(asked.push(question) > 0 && lab.agrees),
  });
  const undo = stack.move();
  return {
    lab,
    vms,
    asked,
    context,
    async up(text, { replace = false } = {}) {
      const parsed = await parseLab({ ...context(), folder: hostPath('/labs') }, FILE, text);
      const template = { publication: publication.id, reference: publication.image.reference, places: publication.places };
      return await labUpOn(context(), parsed, { start: true, replace, vms, sshKeys: ['ssh-ed25519 AAAA ingot'], templateOf: () => Promise.resolve(template) });
    },
    async state() {
      const state = await findAnyLab(context().host, context().home, SHOP);
      if (state === undefined || !('platform' in state)) throw new Error('there is no such lab');
      return state;
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

test('a lab on a target is made in order, told its names, given its scripts; done again it changes nothing', async () => {
  await using it = await remote();
  const first = await it.up(TWO);
  expect(first.members.map(({ member, vm, result }) => [member, vm, result])).toEqual([
    ['db', 'shop-db', 'ready'],
    ['web-1', 'shop-web-1', 'ready'],
    ['web-2', 'shop-web-2', 'ready'],
  ]);
  expect(first.network).toBe('proxmox:home');
  const commands = it.lab.ssh.calls;
  const scripts = commands.filter((call) => call.includes('INGOT_MEMBER'));
  expect(scripts).toHaveLength(2);
  // Whoever was ready before the others came is told their names afterwards.
  expect((await it.state()).members.map(({ hosts }) => hosts).every((hash, _, all) => hash !== '' && hash === all[0])).toBe(true);
  expect(await viewRemoteLab(await it.state(), it.vms)).toMatchObject({ members: [{ member: 'db', state: 'running', ready: true }, {}, {}] });
  await expect(loadLab(it.context().host, it.context().home, SHOP)).rejects.toMatchObject({ code: 'lab-elsewhere' });

  commands.length = 0;
  const again = await it.up(TWO);
  expect(again.members.every(({ result }) => result === 'unchanged')).toBe(true);
  expect({ asked: it.asked, commands }).toEqual({ asked: [], commands: [] });
});

test('what changed in the file is applied; what is lost is asked for', async () => {
  await using it = await remote();
  await it.up(TWO);
  const { cluster } = it.lab.simulator;
  const memory = (name: string): string | undefined => [...cluster.vms.values()].find(({ config }) => config['name'] === name)?.config['memory'];
  expect(memory('shop-db')).toBe('512');
  await it.up(TWO.replace('512MiB', '768MiB').replace('echo hello', 'echo changed'));
  expect(memory('shop-db')).toBe('768');
  it.lab.agrees = false;
  await expect(it.up(TWO.replace('count: 2', 'count: 1'))).rejects.toMatchObject({ code: 'lab-unchanged' });
  it.lab.agrees = true;
  expect((await it.up(TWO.replace('count: 2', 'count: 1'))).deleted).toEqual(['shop-web-2']);
  const told = await it.up(TWO.replace('db: { image: web', 'db: { image: "web:first"'));
  expect(told.members[0]).toMatchObject({ member: 'db', renew: ['image web -> web:first'] });
  const db = (): Record<string, string> | undefined => [...cluster.vms.values()].find(({ config }) => config['name'] === 'shop-db')?.config;
  Object.assign(db() ?? {}, { hookscript: 'of the one before' });
  await it.up(TWO.replace('db: { image: web', 'db: { image: "web:first"'), { replace: true });
  expect(db()).not.toHaveProperty('hookscript');
});

test('a VM of that name that is none of the lab stays, and nothing is made', async () => {
  await using it = await remote();
  it.lab.simulator.cluster.vms.set(700, { vmid: 700, node: 'pve', config: { name: 'shop-db' }, running: false, snapshots: [] });
  await expect(it.up(TWO)).rejects.toMatchObject({ code: 'lab-names-taken' });
  expect(await findAnyLab(it.context().host, it.context().home, SHOP)).toBeUndefined();
});

test('it is used as one: commands, snapshots, shut down, deleted', async () => {
  await using it = await remote();
  await it.up(TWO);
  const lines: string[] = [];
  const request = {
    lab: SHOP,
    on: ['web'],
    command: ['uptime'],
    timeout: undefined,
    onLine: (member: string, line: string) => void lines.push(`${member}${line}`),
  };
  expect(await execInRemoteLab(it.context(), await it.state(), it.vms, request)).toEqual([
    { member: 'web-1', exitCode: 0 },
    { member: 'web-2', exitCode: 0 },
  ]);
  const snapshot = { name: 'before', ram: false, description: undefined };
  expect((await snapshotRemoteLab(it.context(), SHOP, await it.state(), it.vms, snapshot)).members).toEqual(['db', 'web-1', 'web-2']);
  await expect(restoreRemoteLab(it.context(), SHOP, await it.state(), it.vms, { snapshot: 'before', force: false, start: undefined })).rejects.toMatchObject({
    code: 'lab-running',
  });
  const stopped = await stopRemoteLab(it.context(), SHOP, await it.state(), it.vms, { timeout: 10, force: false });
  // Those that wait for others go down before those.
  expect(stopped.members.at(-1)).toMatchObject({ member: 'db', result: 'shut-down' });
  await restoreRemoteLab(it.context(), SHOP, await it.state(), it.vms, { snapshot: 'before', force: false, start: undefined });
  expect((await it.state()).members.every(({ hosts }) => hosts === '')).toBe(true);
  expect((await deleteRemoteLab(it.context(), SHOP, await it.state(), it.vms)).members).toHaveLength(3);
  expect(await it.vms.list({ all: true })).toEqual([]);
});

test.each(['cut', 'lost'] as const)('(%s) at some requests of a lab: bringing it up again makes the same of it', async (how) => {
  await using it = await remote();
  let total = 0;
  it.lab.simulator.fault = () => void (total += 1);
  await it.up(TWO);
  const whole = it.lab.simulator.cluster.summary().vms;
  for (let at = 1; at <= total; at += 5) {
    it.lab.simulator.fault = () => undefined;
    await deleteRemoteLab(it.context(), SHOP, await it.state(), it.vms);
    let count = 0;
    it.lab.simulator.fault = () => ((count += 1) === at ? how : undefined);
    await it.up(TWO).catch(() => undefined);
    it.lab.simulator.fault = () => undefined;
    await it.lab.simulator.cluster.settle();
    await it.up(TWO);
    expect(it.lab.simulator.cluster.summary().vms, `request ${at}`).toEqual(whole);
  }
});
