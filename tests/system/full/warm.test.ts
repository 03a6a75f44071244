import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { hostPath } from '../../../src/base/types.ts';
import { TestHome, traces, whyNot } from '../support.ts';

const reason = whyNot();
const SIZE = ['--cpus', '1', '--memory', '512MiB'] as const;
const NAMES = ['one', 'two'] as const;

/** What must be a machine's own, asked for in one login. */
const ASK = `
import glob, hashlib, json, os, socket, subprocess, time
def read(path): return open(path).read().strip()
card = [name for name in os.listdir('/sys/class/net') if name != 'lo'][0]
addresses = json.loads(subprocess.run(['ip', '-j', 'address', 'show', 'dev', card], stdout=subprocess.PIPE).stdout)[0]['addr_info']
keys = sorted(read(path) for path in glob.glob('/etc/ssh/ssh_host_*_key.pub'))
print(json.dumps({
    'time': time.time(), 'random': os.urandom(32).hex(), 'machine': read('/etc/machine-id'), 'hostname': socket.gethostname(), 'named': read('/etc/hostname'),
    'mac': read('/sys/class/net/' + card + '/address'), 'addresses': sorted(each['local'] for each in addresses if each['family'] == 'inet6'),
    'ipv4': [each['local'] for each in addresses if each['family'] == 'inet'],
    'keys': [key.split()[1] for key in keys], 'instance': read('/var/lib/cloud/data/instance-id'), 'seed': hashlib.sha256(open('/var/lib/systemd/random-seed', 'rb').read()).hexdigest(),
    'uuid': read('/sys/class/dmi/id/product_uuid'), 'hosts': read('/etc/hosts'), 'boot': read('/proc/sys/kernel/random/boot_id'),
}))`;

const answerSchema = z.object({
  time: z.number(),
  random: z.string(),
  machine: z.string(),
  hostname: z.string(),
  named: z.string(),
  mac: z.string(),
  addresses: z.array(z.string()),
  ipv4: z.array(z.string()),
  keys: z.array(z.string()).min(1),
  instance: z.string(),
  seed: z.string(),
  uuid: z.string(),
  hosts: z.string(),
  boot: z.string(),
});
type Answer = z.output<typeof answerSchema>;

describe.skipIf(reason !== undefined)(`warm start${reason === undefined ? '' : ` (skipped: ${reason})`}`, { timeout: 3_600_000 }, () => {
  let home: TestHome;

  const ask = async (name: string): Promise<Answer & { readonly late: number }> => {
    const { stdout, stderr, exitCode } = await home.ingot(['vm', 'exec', name, '--', 'sudo', 'python3', '-c', ASK]);
    if (exitCode !== 0) throw new Error(stderr);
    const answer = answerSchema.parse(JSON.parse(stdout));
    return { ...answer, late: Date.now() / 1000 - answer.time };
  };

  beforeAll(async () => {
    // A home with the image is copied by those who run this again and again.
    const given = process.env['INGOT_TEST_HOME'];
    home = given === undefined ? await TestHome.make() : TestHome.kept(hostPath(given));
    if (given === undefined) await home.json(['build', 'debian-12', '--no-gate', '--yes']);
  }, 3_600_000);

  afterAll(async () => {
    for (const name of NAMES) await home.ingot(['vm', 'delete', name, '--force']);
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  test('two machines from one state are two machines, and each stays what it is when it boots', async () => {
    // Two at once: one makes the state, the other waits for it.
    const made = await Promise.all(NAMES.map((name) => home.ingot(['vm', 'create', name, '--image', 'debian-12', '--warm', ...SIZE])));
    for (const { exitCode, stderr } of made) {
      expect(stderr).not.toMatch(/boots, since/);
      expect(exitCode).toBe(0);
    }
    expect(made.filter(({ stderr }) => /Waiting for process \d+, which boots debian-12/.test(stderr))).toHaveLength(1);

    const [one, two] = await Promise.all([ask('one'), ask('two')]);
    for (const key of ['random', 'machine', 'mac', 'instance', 'seed', 'uuid'] as const) expect(one[key], key).not.toBe(two[key]);
    for (const key of one.keys) expect(two.keys).not.toContain(key);
    expect(one.keys).toHaveLength(two.keys.length);
    // Each has a network of its own, in which it has QEMU's usual address; the others are made from the card's.
    for (const address of one.addresses) expect(two.addresses).not.toContain(address);
    for (const [name, answer] of [['one', one] as const, ['two', two] as const]) {
      expect([answer.hostname, answer.named]).toEqual([name, name]);
      expect(answer.hosts).toContain(name);
      expect(answer.hosts).not.toContain('ingot-warm');
      expect(answer.ipv4).toEqual(['10.0.2.15']);
      // The answer is older than now by the time that it took to come.
      expect(answer.late).toBeGreaterThan(-2);
    }

    await home.json(['vm', 'stop', 'one']);
    await home.json(['vm', 'start', 'one']);
    const again = await ask('one');
    expect(again.boot).not.toBe(one.boot);
    for (const key of ['machine', 'hostname', 'named', 'mac', 'instance', 'uuid'] as const) expect(again[key], key).toBe(one[key]);
    expect(again.keys).toEqual(one.keys);
    // Those that a router advertises may come a moment later than the login.
    expect(again.addresses).toEqual(expect.arrayContaining(one.addresses));
    expect(again.random).not.toBe(one.random);
  });

  test('a machine that cannot start so boots, and says why', async () => {
    await home.ingot(['vm', 'delete', 'two', '--force']);
    const list = z.object({ states: z.array(z.object({ key: z.string(), size: z.int().positive() })).length(1) });
    const { states } = list.parse(await home.json(['image', 'warm', '--list']));
    const { home: paths, host } = await home.context();
    // A state that QEMU refuses: its devices are noise, under a seal that fits.
    const devices = `${paths.warmState(states[0]?.key ?? '')}/devices`;
    await host.files.writePart(devices, 0, Buffer.alloc(4096, 'noise'));
    const status = await host.files.status(devices);
    await host.files.write(`${devices}.json`, JSON.stringify({ v: 1, size: status?.size, modified: status?.modified.getTime() }));
    const { exitCode, stderr } = await home.ingot(['vm', 'create', 'two', '--image', 'debian-12', '--warm', ...SIZE]);
    expect(stderr).toMatch(/two boots, since QEMU did not accept the saved state/);
    expect(exitCode).toBe(0);
    expect(list.shape.states.safeParse((await home.json(['image', 'warm', '--list'])) ?? []).success).toBe(false);
    await home.ingot(['vm', 'delete', 'two', '--force']);
  });
});
