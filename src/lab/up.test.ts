import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { sweepScratch } from '../base/scratch.ts';
import { hostPath, parseName } from '../base/types.ts';
import { createVm } from '../platforms/local/create.ts';
import { addForwards } from '../platforms/local/forward-change.ts';
import { parseForward } from '../platforms/local/forwards.ts';
import { deleteVm } from '../platforms/local/remove.ts';
import { renameVm } from '../platforms/local/rename.ts';
import { findVm, loadVms, saveVm, type VmRecord } from '../platforms/local/vms.ts';
import { faultyHost, type Fault } from '../../tests/support/faulty-host.ts';
import { newVm, sampleLab, type SampleLab } from '../../tests/support/lab.ts';
import { deleteLab } from './down.ts';
import { prepareLab } from './prepare.ts';
import { parseLab } from './read.ts';
import { findLab, loadLab } from './state.ts';
import { viewLab } from './status.ts';
import { labUp, type UpResult } from './up.ts';

const SHOP = parseName('shop', 'a lab');
const FILE = hostPath('/labs/shop.yaml');
const THREE = 'lab: shop\nvms:\n  web: { image: debian-12, count: 2, after: db }\n  db: { image: debian-12, memory: 512MiB }\n';

interface Answers {
  readonly host?: Host;
  readonly consent?: boolean;
  readonly replace?: boolean;
  readonly file?: string;
}

/** Brings a lab up without starting anything; what was asked is kept. */
async function up(lab: SampleLab, text: string, answers: Answers = {}): Promise<UpResult & { readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const consent = (question: string): Promise<boolean> => Promise.resolve(asked.push(question) > 0 && answers.consent === true);
  const context = { ...lab.context(answers.host), consent };
  const parsed = await parseLab(context, hostPath(answers.file ?? FILE), text);
  const imageOf = (): Promise<string> => Promise.resolve('debian-12');
  return { ...(await labUp(context, parsed, { start: false, replace: answers.replace ?? false, force: true, imageOf })), asked };
}

const vmsOf = async (lab: SampleLab): Promise<VmRecord[]> => loadVms(lab.host, lab.home.home);

test('makes every VM with a card of its own on one network, and a seed that says so', async () => {
  await using lab = await sampleLab();
  const { members, network } = await up(lab, THREE);
  expect(members.map(({ member, result }) => [member, result])).toEqual([
    ['db', 'made'],
    ['web-1', 'made'],
    ['web-2', 'made'],
  ]);
  const vms = await vmsOf(lab);
  expect(vms.map(({ name }) => name)).toEqual(['shop-db', 'shop-web-1', 'shop-web-2']);
  const cards = vms.map((vm) => vm.lab?.network);
  expect(new Set(cards.map((card) => `${card?.group}:${card?.port}`)).size).toBe(1);
  expect(cards[0]?.group).toMatch(/^239\.255\./);
  for (const key of ['mac', 'address'] as const) expect(new Set(cards.map((card) => card?.[key])).size).toBe(3);
  expect(new Set(vms.flatMap((vm) => [vm.mac, vm.lab?.network.mac])).size).toBe(6);
  expect(await viewLab(lab.context(), SHOP)).toMatchObject({
    network,
    file: FILE,
    members: [{ member: 'db', state: 'stopped', address: cards[0]?.address, ready: false, image: 'debian-12' }, { member: 'web-1' }, { member: 'web-2' }],
  });
});

test('done again does nothing, and asks nothing', async () => {
  await using lab = await sampleLab();
  const first = await up(lab, THREE);
  const before = await vmsOf(lab);
  const again = await up(lab, THREE);
  expect(again.asked).toEqual([]);
  expect(again.members.every(({ result }) => result === 'unchanged')).toBe(true);
  expect({ ...again, members: [] }).toEqual({ ...first, members: [] });
  expect(await vmsOf(lab)).toEqual(before);
});

describe('a changed file', () => {
  test('deletes what it does not have any more only after consent', async () => {
    await using lab = await sampleLab();
    await up(lab, THREE);
    const fewer = THREE.replace('count: 2', 'count: 1');
    await expect(up(lab, fewer)).rejects.toMatchObject({ code: 'lab-unchanged', class: 'interrupted' });
    expect(await vmsOf(lab)).toHaveLength(3);
    const { asked, deleted } = await up(lab, fewer, { consent: true });
    expect(asked.join('\n')).toMatch(/deleted with their disks: shop-web-2\./);
    expect(deleted).toEqual(['shop-web-2']);
    expect((await vmsOf(lab)).map(({ name }) => name)).toEqual(['shop-db', 'shop-web-1']);
  });

  test('changes sizes, and keeps the VM', async () => {
    await using lab = await sampleLab();
    await up(lab, THREE);
    const before = await vmsOf(lab);
    await up(lab, THREE.replace('512MiB', '768MiB'));
    expect(await vmsOf(lab)).toEqual(before.map((vm) => (vm.name === 'shop-db' ? { ...vm, memory: 768 * 2 ** 20 } : vm)));
  });

  test('of an image says so, and makes another VM in its place with --replace', async () => {
    await using lab = await sampleLab();
    const other = THREE.replace('db: { image: debian-12,', 'db: { image: debian-12:latest,');
    await up(lab, THREE);
    const before = await vmsOf(lab);
    const told = await up(lab, other);
    expect(told.members[0]).toMatchObject({ member: 'db', renew: ['image debian-12 -> debian-12:latest'] });
    expect(await vmsOf(lab)).toEqual(before);
    await expect(up(lab, other, { replace: true })).rejects.toMatchObject({ code: 'lab-unchanged' });
    await up(lab, other, { replace: true, consent: true });
    const after = await vmsOf(lab);
    expect(after[0]?.id).not.toBe(before[0]?.id);
    expect(after[0]?.lab?.network.address).toBe(before[0]?.lab?.network.address);
    expect(after.slice(1)).toEqual(before.slice(1));
  });

  test('of an image makes a VM in the place of one that was renamed, under the name of the file', async () => {
    await using lab = await sampleLab();
    await up(lab, THREE);
    await renameVm(lab.context(), parseName('shop-db', 'a VM'), parseName('store', 'a VM'));
    const { members, asked } = await up(lab, THREE.replace('db: { image: debian-12,', 'db: { image: debian-12:latest,'), { replace: true, consent: true });
    expect(asked.join('\n')).toContain('Made anew, without what is on their disks: store.');
    expect(members[0]).toMatchObject({ member: 'db', vm: 'shop-db', result: 'made' });
    expect((await vmsOf(lab)).map(({ name }) => name)).toEqual(['shop-db', 'shop-web-1', 'shop-web-2']);
  });

  test('that lies elsewhere is applied only after consent', async () => {
    await using lab = await sampleLab();
    await up(lab, THREE);
    await expect(up(lab, THREE, { file: '/other/shop.yaml' })).rejects.toMatchObject({ code: 'lab-unchanged' });
    expect((await up(lab, THREE, { file: '/other/shop.yaml', consent: true })).asked.join('\n')).toContain('was made from /labs/shop.yaml');
  });
});

describe('what is in the way', () => {
  test('a VM that is nobody’s, or of another lab, stays, and nothing is made', async () => {
    await using lab = await sampleLab();
    await createVm(lab.context(), newVm('shop-db'));
    await up(lab, 'lab: shop-web\nvms: { "1": { image: debian-12 } }');
    const error: unknown = await up(lab, THREE).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'lab-names-taken', class: 'conflict' });
    expect(error instanceof IngotError ? error.problems.map(({ message }) => message) : []).toEqual([
      'shop-db is a VM of its own',
      'shop-web-1 is a VM of the lab shop-web',
    ]);
    expect(await findLab(lab.host, lab.home.home, SHOP)).toBeUndefined();
    expect(await vmsOf(lab)).toHaveLength(2);
  });

  test('the network of another lab', async () => {
    await using lab = await sampleLab();
    await up(lab, `network: 10.77.0.0/24\n${THREE}`);
    await expect(up(lab, 'lab: other\nnetwork: 10.77.0.128/25\nvms: { a: { image: debian-12 } }')).rejects.toMatchObject({ code: 'lab-network-taken' });
    const { network } = await up(lab, 'lab: other\nvms: { a: { image: debian-12 } }');
    expect(network).not.toBe('10.77.0.0/24');
  });

  test('an image that is not there is told before anything is made', async () => {
    await using lab = await sampleLab();
    const context = { ...lab.context(), consent: () => Promise.resolve(true) };
    const parsed = await parseLab(context, FILE, THREE);
    const imageOf = (): Promise<string> => Promise.reject(new IngotError('not-found', 'image-unknown', 'There is no image'));
    await expect(labUp(context, parsed, { start: false, replace: false, force: true, imageOf })).rejects.toMatchObject({ code: 'image-unknown' });
    expect(await vmsOf(lab)).toEqual([]);
    await expect(loadLab(lab.host, lab.home.home, SHOP)).rejects.toMatchObject({ code: 'lab-unknown' });
  });
});

describe.each<Fault>(['kill'])('%s at every effect', { timeout: 300_000 }, (fault) => {
  test('of making a lab: done again it is complete, and nothing is left besides', async () => {
    const two = 'lab: shop\nvms: { a: { image: debian-12 }, b: { image: debian-12 } }';
    for (let at = 1; ; at++) {
      await using lab = await sampleLab();
      const faulty = faultyHost(lab.host, at, fault);
      await up(lab, two, { host: faulty.host }).catch(() => undefined);
      if (!faulty.hit()) {
        if (at > faulty.log.length) break;
        continue;
      }
      await sweepScratch(lab.host, lab.home.home);
      await up(lab, two);
      const vms = await vmsOf(lab);
      expect(
        vms.map((vm) => vm.lab?.member),
        faulty.log.at(at - 1),
      ).toEqual(['a', 'b']);
      expect(new Set(vms.map((vm) => vm.lab?.network.address)).size).toBe(2);
      const context = { ...lab.context(), consent: () => Promise.resolve(true) };
      const { plan } = await prepareLab(context, await parseLab(context, FILE, two), { start: false, replace: false });
      expect(plan.members.every(({ create, resize }) => !create && resize === undefined)).toBe(true);
      expect(await lab.host.files.list(lab.home.home.run), faulty.log.at(at - 1)).toEqual([]);
    }
  });
});

test('deleting a lab takes its VMs, after consent, and no others', async () => {
  await using lab = await sampleLab();
  await createVm(lab.context(), newVm('own'));
  await up(lab, THREE);
  const context = (yes: boolean) => ({ ...lab.context(), consent: () => Promise.resolve(yes) });
  await expect(deleteLab(context(false), SHOP)).rejects.toMatchObject({ code: 'lab-unchanged' });
  await deleteVm(context(true), parseName('shop-db', 'a VM'), { force: false });
  expect((await viewLab(lab.context(), SHOP)).members[0]).toMatchObject({ member: 'db', state: 'missing' });
  expect((await deleteLab(context(true), SHOP)).members.map(({ vm }) => vm)).toEqual(['shop-web-1', 'shop-web-2']);
  expect((await vmsOf(lab)).map(({ name }) => name)).toEqual(['own']);
  await expect(loadLab(lab.host, lab.home.home, SHOP)).rejects.toMatchObject({ code: 'lab-unknown' });
  expect(await findVm(lab.host, lab.home.home, parseName('own', 'a VM'))).toBeDefined();
});

test('a protected member is kept, and nothing else is lost with it', async () => {
  await using lab = await sampleLab();
  await up(lab, THREE);
  const all = await vmsOf(lab);
  const web = all.find(({ name }) => name === 'shop-web-2');
  if (web !== undefined) await saveVm(lab.host, lab.home.home, { ...web, protected: true });
  const refused = { code: 'vm-protected', message: 'shop-web-2 is protected' };
  const consent = (): Promise<boolean> => Promise.resolve(true);
  await expect(deleteLab({ ...lab.context(), consent }, SHOP)).rejects.toMatchObject(refused);
  await expect(up(lab, 'lab: shop\nvms: { other: { image: debian-12 } }\n', { consent: true })).rejects.toMatchObject(refused);
  await expect(up(lab, THREE.replace('count: 2', 'count: 2, firmware: uefi'), { consent: true, replace: true })).rejects.toMatchObject(refused);
  expect((await vmsOf(lab)).map(({ name }) => name)).toEqual(all.map(({ name }) => name));
});

test('forwards of the file come and go, and those of the user stay', async () => {
  await using lab = await sampleLab();
  const file = (forwards: string): string => `lab: shop\nvms: { web: { image: debian-12, forwards: [${forwards}] } }\n`;
  const ports = async (): Promise<number[]> => (await vmsOf(lab)).flatMap(({ forwards }) => forwards.map(({ guest }) => guest));
  await up(lab, file('80, 81'));
  expect(await ports()).toEqual([80, 81]);
  await addForwards(lab.context(), parseName('shop-web', 'a VM'), [parseForward('90')]);
  expect((await up(lab, file('81, 82'))).members).toMatchObject([{ result: 'ready', renew: [] }]);
  expect(await ports()).toEqual([81, 90, 82]);
  expect((await up(lab, file('81, 82'))).members).toMatchObject([{ result: 'unchanged' }]);
});
