import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fakeAgent } from '../../../tests/support/fake-agent.ts';
import { realHost, type Host } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { withAgent } from './agent.ts';

let folder: string;
let path: HostPath;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-'));
  path = hostPath(join(folder, 'agent.sock'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Its clock jumps where somebody waits. */
function hastyHost(): Host {
  const host = realHost();
  let time = 0;
  return { ...host, clock: { ...host.clock, monotonic: () => time, sleep: async (seconds) => void (time += seconds * 1000) } };
}
const host = realHost();
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a conversation', () => {
  test('gives each command its answer', async () => {
    await using _agent = await fakeAgent(path, (command, parameters) => ({ return: [command, parameters] }));
    const both = await withAgent(host, path, (agent) => Promise.all([agent.execute('guest-ping'), agent.execute('guest-info', { x: 1 })]));
    expect(both).toEqual([
      ['guest-ping', {}],
      ['guest-info', { x: 1 }],
    ]);
  });

  test('hears nothing of the one before', async () => {
    const stale = `${JSON.stringify({ return: 'stale' })}\n{"return": "half`;
    await using _agent = await fakeAgent(path, () => ({ return: 'ä fresh' }), stale);
    expect(await withAgent(host, path, (agent) => agent.execute('guest-ping'))).toBe('ä fresh');
  });

  test('waits until another one has ended', async () => {
    await using _agent = await fakeAgent(path, () => ({ return: {} }));
    const order: string[] = [];
    const connected = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const first = withAgent(host, path, async () => {
      connected.resolve();
      await release.promise;
      order.push('first');
    });
    await connected.promise;
    const second = withAgent(host, path, async (agent) => {
      await agent.execute('guest-ping');
      order.push('second');
    });
    release.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });

  test("the agent's refusal is an error with its words", async () => {
    await using _agent = await fakeAgent(path, () => ({ error: { class: 'CommandNotFound', desc: 'it has been disabled' } }));
    await expect(withAgent(host, path, (agent) => agent.execute('guest-exec'))).rejects.toMatchObject({
      code: 'agent-refused',
      message: 'The guest agent refused guest-exec: it has been disabled',
    });
  });

  test('goes on after an answer that came too late', async () => {
    const late = Promise.withResolvers<object>();
    await using _agent = await fakeAgent(path, (command) => (command === 'slow' ? late.promise : { return: command }));
    await withAgent(host, path, async (agent) => {
      await expect(agent.execute('slow', undefined, 0.01)).rejects.toMatchObject({ code: 'agent-silent', message: expect.stringContaining('slow') });
      late.resolve({ return: 'too late' });
      expect(await agent.execute('guest-ping')).toBe('guest-ping');
    });
  });

  test('garbage is refused with its words', async () => {
    await using _agent = await fakeAgent(path, () => 'login: \n');
    await expect(withAgent(host, path, (agent) => agent.execute('guest-ping'))).rejects.toMatchObject({ code: 'agent-garbled' });
  });
});

describe('no agent', () => {
  test('is told after the time for it', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => void server.listen(path, resolve));
    const talk = withAgent(host, path, async () => 'never', { seconds: 0.1 });
    await expect(talk).rejects.toMatchObject({ code: 'agent-silent', class: 'timeout', hint: expect.stringContaining('qemu-guest-agent') });
    server.close();
  });

  test('no machine', async () => {
    await expect(withAgent(host, path, async () => 'never')).rejects.toMatchObject({ code: 'agent-gone' });
  });

  test('a machine that ends in between', async () => {
    await using _agent = await fakeAgent(path, () => undefined);
    const talk = withAgent(host, path, async (agent) => {
      const answer = agent.execute('guest-shutdown');
      await _agent[Symbol.asyncDispose]();
      return answer;
    });
    await expect(talk).rejects.toMatchObject({ code: 'agent-gone' });
  });

  test('being stopped is no failure of the agent', async () => {
    await using _agent = await fakeAgent(path, () => undefined);
    const stop = new AbortController();
    const talk = withAgent(
      host,
      path,
      async (agent) => {
        const answer = agent.execute('guest-ping');
        stop.abort(new Error('stopped by the user'));
        return answer;
      },
      { signal: stop.signal },
    );
    await expect(talk).rejects.toThrow('stopped by the user');
  });
});

describe('filesystems', () => {
  test('are frozen and thawed', async () => {
    await using _agent = await fakeAgent(path, (command) => ({ return: command === 'guest-fsfreeze-freeze' ? 2 : 3 }));
    expect(await withAgent(host, path, async (agent) => [await agent.freeze(), await agent.thaw()])).toEqual([2, 3]);
  });

  test('do not stay frozen where freezing failed', async () => {
    const asked: string[] = [];
    await using _agent = await fakeAgent(path, (command) => {
      asked.push(command);
      return command === 'guest-fsfreeze-freeze' ? { error: { desc: 'failed to freeze /mnt' } } : { return: 1 };
    });
    await expect(withAgent(host, path, (agent) => agent.freeze())).rejects.toMatchObject({ code: 'agent-refused' });
    expect(asked).toEqual(['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw']);
  });
});

describe('a program in the guest', () => {
  test('gets its words and input, and gives exit code and output', async () => {
    let polls = 0;
    const started: unknown[] = [];
    await using _agent = await fakeAgent(path, (command, parameters) => {
      if (command === 'guest-exec') {
        started.push(parameters);
        return { return: { pid: 7 } };
      }
      polls += 1;
      return { return: polls < 3 ? { exited: false } : { exited: true, exitcode: 3, 'out-data': base64('hällo\n'), 'err-data': base64('oh') } };
    });
    const result = await withAgent(hastyHost(), path, (agent) => agent.run(['/bin/sh', '-c', 'cat; exit 3'], { input: 'hällo\n' }));
    expect(result).toEqual({ exitCode: 3, stdout: 'hällo\n', stderr: 'oh' });
    expect(started).toEqual([{ path: '/bin/sh', arg: ['-c', 'cat; exit 3'], 'capture-output': true, 'input-data': base64('hällo\n') }]);
  });

  test('is not waited for without an end', async () => {
    await using _agent = await fakeAgent(path, (command) => ({ return: command === 'guest-exec' ? { pid: 7 } : { exited: false } }));
    await expect(withAgent(hastyHost(), path, (agent) => agent.run(['sleep', '9'], { timeout: 5 }))).rejects.toMatchObject({
      code: 'agent-command-timeout',
      message: 'sleep did not end in the guest within 5 s',
    });
  });
});
