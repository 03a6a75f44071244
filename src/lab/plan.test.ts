import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostPath, parseName } from '../base/types.ts';
import { formatForward, parseForward } from '../platforms/local/forwards.ts';
import type { Forward } from '../platforms/local/vm-record.ts';
import type { Member } from './model.ts';
import { changes, planLab, type FoundMember, type LabPlan, type PlanOptions, type WantedNetwork } from './plan.ts';

const GIB = 2 ** 30;

function member(name: string, more: Partial<Member> = {}): Member {
  return {
    name,
    group: name,
    vm: parseName(`shop-${name}`, 'a VM'),
    image: 'debian-12',
    roles: [],
    release: undefined,
    cpus: 2,
    memory: GIB,
    disk: undefined,
    firmware: undefined,
    userData: undefined,
    forwards: [],
    shares: [],
    after: [],
    ready: { kind: 'ssh' },
    timeout: undefined,
    files: [],
    scripts: [],
    source: { roles: [], image: 'debian-12' },
    ...more,
  };
}

function networkOf(members: readonly Member[]): WantedNetwork {
  return { addresses: new Map(members.map(({ name }, i) => [name, `10.77.0.${11 + i}`])), prefix: 24, hosts: members.map(({ name }) => name).join(' ') };
}

/** What is there after a plan was carried out: the executor without VMs. */
function apply(plan: LabPlan, found: readonly FoundMember[], network: WantedNetwork): FoundMember[] {
  return plan.members.flatMap((one): FoundMember[] => {
    const { member: wanted } = one;
    const before = found.find(({ name }) => name === wanted.name);
    const kept = one.create ? undefined : before;
    if (kept === undefined && !one.create) return [];
    const base: FoundMember = kept ?? {
      name: wanted.name,
      vm: wanted.vm,
      running: false,
      ready: false,
      cpus: wanted.cpus,
      memory: wanted.memory,
      disk: wanted.disk ?? 10 * GIB,
      protected: false,
      forwards: wanted.forwards.map((wish, i): Forward => ({ ...wish, host: wish.host ?? 40_000 + i, ...(wish.host === undefined ? { chosen: true } : {}) })),
      lab: {
        name: 'shop',
        member: wanted.name,
        source: wanted.source,
        network: { mac: '52:54:00:00:00:01', address: network.addresses.get(wanted.name) ?? '', prefix: 24, group: '239.255.1.2', port: 20_000 },
        hosts: wanted.userData === undefined ? network.hosts : '',
        forwards: wanted.forwards.map(formatForward),
        files: {},
        scripts: [],
      },
    };
    const running = (base.running && !one.restart) || one.start;
    const files = { ...base.lab.files, ...Object.fromEntries(one.files.map(({ to, hash }) => [to, hash])) };
    const scripts = [...base.lab.scripts, ...one.scripts.map(({ hash }) => hash)];
    return [
      {
        ...base,
        running,
        ready: one.wait || base.ready,
        cpus: one.resize?.cpus?.to ?? base.cpus,
        memory: one.resize?.memory?.to ?? base.memory,
        disk: one.resize?.disk?.to ?? base.disk,
        lab: { ...base.lab, files, scripts, hosts: one.hosts ? network.hosts : base.lab.hosts },
      },
    ];
  });
}

const UP: PlanOptions = { start: true, replace: false };
const REPLACE: PlanOptions = { start: true, replace: true };

function up(members: readonly Member[], found: readonly FoundMember[] = [], options = UP) {
  const network = networkOf(members);
  const plan = planLab(members, found, network, options);
  return { plan, after: apply(plan, found, network) };
}

describe('a change of the file', () => {
  const script = (text: string, always = false) => ({ label: text, content: text, always, hash: `hash of ${text}` });
  const file = (to: string, hash: string) => ({ copy: to, to, owner: 'root:root', tree: { root: hostPath('/lab'), single: true, entries: [] }, hash });

  test('of nothing does nothing', () => {
    const members = [member('db'), member('web', { after: ['db'] })];
    expect(up(members, up(members).after).plan.members.some(changes)).toBe(false);
  });

  test('that adds a VM makes it, and tells the others its name', () => {
    const { plan } = up([member('db'), member('web')], up([member('db')]).after);
    expect(plan.members).toMatchObject([
      { create: false, start: false, hosts: true, wait: false },
      { create: true, start: true, hosts: false, wait: true },
    ]);
  });

  test('of the forwards changes them as it runs, and leaves alone what the user added', () => {
    const forwards = (...texts: string[]) => ({ forwards: texts.map(parseForward) });
    const [before] = up([member('db', forwards('8080:80', '443', '5353'))]).after;
    if (before === undefined) throw new Error('nothing was made');
    const found = [{ ...before, forwards: [...before.forwards, { ...parseForward('9000:90'), host: 9000 }] }];
    const { plan } = up([member('db', forwards('8081:80', '443', 'udp:53'))], found);
    expect(plan.members).toMatchObject([{ create: false, restart: false, start: false, renew: [] }]);
    expect(plan.members[0]?.forwards.add.map(formatForward)).toEqual(['8081:80', 'udp:53']);
    expect(plan.members[0]?.forwards.remove.map(({ host, guest }) => [host, guest])).toEqual([
      [8080, 80],
      [40_002, 5353],
    ]);
    expect(plan.members.some(changes)).toBe(true);
    expect(up([member('db', forwards('8080:80', '443', '5353'))], found).plan.members.some(changes)).toBe(false);
  });

  test('that starts nothing waits for nothing that has not changed', () => {
    const members = [member('db')];
    const found = up(members).after.map((one) => ({ ...one, ready: false }));
    expect(up(members, found, { ...UP, start: false }).plan.members).toMatchObject([{ wait: false }]);
    expect(up(members, found).plan.members).toMatchObject([{ wait: true }]);
  });

  test('that removes one deletes it alone', () => {
    const { plan } = up([member('db')], up([member('db'), member('web')]).after);
    expect(plan.gone.map(({ vm }) => vm)).toEqual(['shop-web']);
    expect(plan.members).toMatchObject([{ create: false, remove: undefined, restart: false, hosts: true }]);
  });

  test('of the size restarts it', () => {
    const { plan } = up([member('db', { cpus: 4, memory: 2 * GIB, disk: 20 * GIB })], up([member('db')]).after);
    expect(plan.members).toMatchObject([
      {
        create: false,
        restart: true,
        start: true,
        wait: true,
        resize: { cpus: { from: 2, to: 4 }, memory: { from: GIB, to: 2 * GIB }, disk: { from: 10 * GIB, to: 20 * GIB } },
      },
    ]);
  });

  test('of a file or script applies that one', () => {
    const before = member('db', { files: [file('/a', '1'), file('/b', '1')], scripts: [script('one'), script('each', true)] });
    const after = member('db', { files: [file('/a', '1'), file('/b', '2')], scripts: [script('one'), script('two'), script('each', true)] });
    const { plan } = up([after], up([before]).after);
    expect(plan.members[0]).toMatchObject({ create: false, start: false, files: [{ to: '/b' }], scripts: [{ label: 'two' }, { label: 'each' }], wait: true });
  });

  test.each([
    ['image', { source: { roles: [], image: 'debian-13' } }, 'image debian-12 -> debian-13'],
    ['roles', { source: { roles: ['docker'], image: 'debian-12' } }, 'roles none -> docker'],
    ['firmware', { source: { roles: [], image: 'debian-12', firmware: 'uefi' as const } }, 'firmware default -> uefi'],
    ['disk', { disk: GIB }, 'disk 10 GiB -> 1.0 GiB, and disks do not shrink'],
  ])('of the %s is told, and done only when asked for', (_, more, reason) => {
    const found = up([member('db')]).after;
    expect(up([member('db', more)], found).plan.members).toMatchObject([{ renew: [reason], create: false, remove: undefined, restart: false }]);
    expect(up([member('db', more)], found, REPLACE).plan.members).toMatchObject([{ renew: [reason], create: true, remove: { vm: 'shop-db' }, start: true }]);
  });

  test('works on a VM that was renamed, and on its successor under the name of the file', () => {
    const db = member('db');
    const found = up([db]).after.map((one) => ({ ...one, vm: parseName('store', 'a VM') }));
    const bigger = member('db', { memory: 2 * GIB });
    expect(up([bigger], found).plan.members).toMatchObject([{ vm: 'store', restart: true }]);
    const other = member('db', { source: { roles: [], image: 'debian-13' } });
    expect(up([other], found, REPLACE).plan.members).toMatchObject([{ vm: 'shop-db', remove: { vm: 'store' }, create: true, start: true }]);
  });

  test('leaves VMs that stand where nothing is to be started', () => {
    const { plan } = up([member('db')], [], { start: false, replace: false });
    expect(plan.members).toMatchObject([{ create: true, start: false, hosts: false, wait: false }]);
  });
});

describe('any two files', () => {
  const members = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      cpus: fc.constantFrom(1, 2),
      memory: fc.constantFrom(GIB, 2 * GIB),
      disk: fc.constantFrom(undefined, 10 * GIB, 20 * GIB),
      image: fc.constantFrom('debian-12', 'debian-13'),
      files: fc.array(fc.constantFrom('1', '2'), { maxLength: 1 }),
      scripts: fc.uniqueArray(fc.constantFrom('x', 'y')),
    }),
    { selector: ({ name }) => name },
  );
  const labs = members.map((list) =>
    list.map(({ name, image, files, scripts, ...rest }) =>
      member(name, {
        ...rest,
        image,
        source: { roles: [], image },
        files: files.map((hash) => ({ copy: 'f', to: '/f', owner: 'root:root', tree: { root: hostPath('/lab'), single: true, entries: [] }, hash })),
        scripts: scripts.map((hash) => ({ label: hash, content: hash, always: false, hash })),
      }),
    ),
  );

  test('after the second was applied, nothing is left to do, and all that it has is there and ready', () => {
    fc.assert(
      fc.property(labs, labs, (first, second) => {
        const { after } = up(second, up(first).after, REPLACE);
        expect(after.map(({ name }) => name)).toEqual(second.map(({ name }) => name));
        expect(after.every(({ running, ready }) => running && ready)).toBe(true);
        const again = up(second, after, REPLACE).plan;
        // Addresses go by position here, so that a member which moved is made anew: that too is done once.
        expect(again.gone).toEqual([]);
        expect(again.members.some((one) => changes(one) || one.wait)).toBe(false);
      }),
    );
  });

  test('no VM is deleted or stopped that the file leaves as it is, and without --replace none but those that it does not have', () => {
    fc.assert(
      fc.property(labs, labs, (first, second) => {
        const found = up(first).after;
        const { plan } = up(second, found);
        expect(plan.gone.map(({ name }) => name)).toEqual(first.map(({ name }) => name).filter((name) => !second.some((other) => other.name === name)));
        for (const one of plan.members) {
          const before = found.find(({ name }) => name === one.member.name);
          expect(one.remove).toBeUndefined();
          expect(one.create).toBe(before === undefined);
          if (before?.cpus === one.member.cpus && before.memory === one.member.memory && (one.member.disk ?? 0) <= before.disk) expect(one.restart).toBe(false);
        }
      }),
    );
  });
});
