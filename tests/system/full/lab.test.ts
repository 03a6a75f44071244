import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { hostPath } from '../../../src/base/types.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/*
 * A lab of three VMs that reach each other by name, as a user makes it: killed on its way up, brought up again, changed, snapshotted, taken down.
 * INGOT_TEST_HOME names a home that has an image debian-12 already; without it one is built.
 */
const reason = whyNot();
const given = process.env['INGOT_TEST_HOME'];

const statusSchema = z.array(z.object({ members: z.array(z.object({ member: z.string(), state: z.string(), ready: z.boolean(), address: z.string() })) }));
const upSchema = z.object({ members: z.array(z.object({ member: z.string(), result: z.string() })), deleted: z.array(z.string()) });

/** Sends an ICMP echo request, which the plain image has no program for, and waits for the answer. */
const PING = `import os, socket, struct, sys, time
def sum16(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
for name in sys.argv[1:]:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.settimeout(5)
    address = socket.gethostbyname(name)
    packet = struct.pack('!BBHHH', 8, 0, 0, os.getpid() & 0xffff, 1)
    packet = packet[:2] + struct.pack('!H', sum16(packet)) + packet[4:]
    for attempt in range(12):
        raw.sendto(packet, (address, 0))
        try:
            while True:
                answer, sender = raw.recvfrom(1024)
                if sender[0] == address and answer[20] == 0: break
            print(name, 'answers from', address)
            break
        except socket.timeout:
            pass
    else:
        sys.exit(name + ' does not answer')
`;

const LAB = `lab: three
vms:
  db: { image: debian-12, cpus: 1, memory: 512MiB, timeout: 30m, files: [{ copy: ping.py, to: /usr/local/bin/ping.py, mode: "0755" }] }
  web:
    image: debian-12
    count: 2
    cpus: 1
    memory: 512MiB
    timeout: 30m
    after: db
    files: [{ copy: ping.py, to: /usr/local/bin/ping.py, mode: "0755" }]
    scripts: [{ run: python3 /usr/local/bin/ping.py db && echo "$INGOT_MEMBER of $INGOT_LAB" > /root/ran }]
    ready: { command: [test, -e, /usr/local/bin/ping.py] }
`;

describe.skipIf(reason !== undefined)(`a lab of three VMs${reason === undefined ? '' : ` (not run: ${reason})`}`, () => {
  let home: TestHome;
  let folder: string;

  beforeAll(async () => {
    home = given === undefined ? await TestHome.make() : TestHome.kept(hostPath(given));
    folder = await mkdtemp('/var/tmp/ingot-lab-');
    await writeFile(join(folder, 'ping.py'), PING);
    await writeFile(join(folder, 'lab.yaml'), LAB);
    if (given === undefined) await home.json(['build', 'debian-12', '--no-gate', '--yes', '--allow-expired-metadata']);
  });

  afterAll(async () => {
    await home.ingot(['lab', 'down', 'three', '--delete', '--yes']);
    await rm(folder, { recursive: true, force: true });
    if (given === undefined) await home[Symbol.asyncDispose]();
  });

  const file = (): string => join(folder, 'lab.yaml');
  const members = async () => statusSchema.parse(await home.json(['lab', 'status', 'three']))[0]?.members ?? [];
  const exec = (...words: string[]) => home.ingot(['lab', 'exec', 'three', ...words]);

  test('killed on its way up, it goes on where it was', async () => {
    const running = home.start(['lab', 'up', file()]);
    while (((await home.ingot(['lab', 'status', 'three', '--json'])).stdout.match(/"running"/g) ?? []).length === 0) await pause(500);
    running.kill('SIGKILL');
    await running.ended;
    const before = await members();
    const { members: outcomes } = upSchema.parse(await home.json(['lab', 'up', file()]));
    expect(outcomes.map(({ member, result }) => [member, result])).toEqual([
      ['db', 'ready'],
      ['web-1', 'ready'],
      ['web-2', 'ready'],
    ]);
    const after = await members();
    expect(after.map(({ address }) => address)).toEqual(before.map(({ address }) => address));
    expect(after.every(({ state, ready }) => state === 'running' && ready)).toBe(true);
  });

  test('each answers each by name, and each knows its own', async () => {
    const { stdout, exitCode } = await exec('--', 'sudo', 'python3', '/usr/local/bin/ping.py', 'db', 'web-1', 'web-2', 'db.three', 'web-2.three');
    expect(stdout).toMatch(/^db +\| web-2 answers from /m);
    expect(stdout).toMatch(/^web-1 \| db answers from /m);
    expect(stdout).toMatch(/^web-2 \| web-1 answers from /m);
    expect(exitCode).toBe(0);
    const addresses = new Map((await members()).map(({ member, address }) => [member, address]));
    expect((await exec('--on', 'web-1', '--', 'getent', 'hosts', 'web-1')).stdout).toContain(addresses.get('web-1'));
    expect((await exec('--on', 'web', '--', 'sudo', 'cat', '/root/ran')).stdout).toMatch(/web-1 \| web-1 of three\nweb-2 \| web-2 of three|web-2.*\nweb-1/);
    expect((await exec('--on', 'db', '--', 'sh', '-c', 'exit 7')).exitCode).toBe(7);
  });

  test('done again it does nothing; a changed file is applied with as little as possible', async () => {
    expect((await home.ingot(['lab', 'diff', file()])).stdout).toContain('is as its file says');
    await writeFile(file(), LAB.replace('count: 2', 'count: 1').replace('echo "$INGOT_MEMBER of $INGOT_LAB"', 'echo changed'));
    const { stdout } = await home.ingot(['lab', 'diff', file()]);
    expect(stdout).toMatch(/- web-2/);
    expect((await home.ingot(['lab', 'up', file()])).exitCode).not.toBe(0); // nobody agreed to the loss
    const { deleted } = upSchema.parse(await home.json(['lab', 'up', file(), '--yes']));
    expect(deleted).toEqual(['three-web-2']);
    expect((await exec('--on', 'web-1', '--', 'sudo', 'cat', '/root/ran')).stdout).toContain('changed');
    expect((await exec('--', 'getent', 'hosts', 'web-2')).exitCode).toBe(2);
  });

  test('a snapshot of all is gone back to by all; going down leaves nothing that runs', async () => {
    await home.json(['lab', 'snapshot', 'create', 'three', 'before']);
    await exec('--', 'sudo', 'sh', '-c', 'echo later > /root/later; sync');
    await home.json(['lab', 'snapshot', 'restore', 'three', 'before', '--force']);
    await home.json(['lab', 'up', file()]);
    expect((await exec('--', 'sudo', 'test', '-e', '/root/later')).exitCode).toBe(1);
    await home.json(['lab', 'down', 'three', '--force']);
    expect((await members()).every(({ state }) => state === 'stopped')).toBe(true);
    expect(await traces(home.root)).toEqual([]);
  });

  test('one that never becomes ready is told with what was waited for, and does not keep the rest', async () => {
    await writeFile(
      file(),
      LAB.replace('timeout: 30m, files', 'timeout: 3s, ready: { port: 9 }, files').replace('after: db', 'after: []').replace('count: 2', 'count: 0'),
    );
    const { exitCode, stderr } = await home.ingot(['lab', 'up', file(), '--yes']);
    expect(exitCode).toBe(10);
    expect(stderr).toMatch(/Waited 3(\.0)? s in vain for three-db's SSH server to answer/);
    expect(stderr).toContain('The end of the console');
  });
});
