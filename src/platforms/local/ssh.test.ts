import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { realHost, type Host } from '../../base/host.ts';
import type { Argv, CommandResult } from '../../base/process.ts';
import { hostPath } from '../../base/types.ts';
import { loginLimit, silenceLimit, sshArguments, sshCommand, waitForLogin, type WaitOptions } from './ssh.ts';

const access = (port: number) => ({ port, user: 'debian', key: hostPath('/home/a b/100%/id_ed25519'), knownHosts: hostPath('/home/vms/web/known_hosts') });

describe('the command', () => {
  test('reads no configuration, asks nothing, and keeps host keys of its own', () => {
    const words = sshArguments('web', access(22_200));
    expect(words.slice(0, 3)).toEqual(['ssh', '-F', 'none']);
    for (const option of [
      'BatchMode=yes',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      'StrictHostKeyChecking=accept-new',
      'HostKeyAlias=web',
      'UserKnownHostsFile="/home/vms/web/known_hosts"',
    ]) {
      expect(words).toContain(option);
    }
    expect(words.slice(-5)).toEqual(['-p', '22200', '-l', 'debian', '127.0.0.1']);
  });

  test("paths survive ssh's own reading of them", () => {
    expect(sshArguments('web', access(1))).toContain('IdentityFile="/home/a b/100%%/id_ed25519"');
  });

  test('the words of a command are one word for ssh, quoted for the shell there', () => {
    expect(sshCommand('web', access(1), ['printf', '%s', 'a b', "it's", '', '$HOME']).slice(-2)).toEqual([
      '--',
      String.raw`printf %s 'a b' 'it'\''s' '' '$HOME'`,
    ]);
  });
});

describe('waiting', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  /** A server on a free port that greets each connection with a text. */
  async function greeter(text: string): Promise<number> {
    const listening = Promise.withResolvers<number>();
    server = createServer((socket) => socket.on('error', () => undefined).end(text));
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = server?.address();
      listening.resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
    return listening.promise;
  }

  /** A host whose clock passes by itself and whose ssh answers from a list, the last one again and again. */
  function hostWith(...answers: readonly CommandResult[]): { host: Host; ran: Argv[] } {
    const base = realHost();
    const ran: Argv[] = [];
    let time = 0;
    const host: Host = {
      ...base,
      clock: {
        ...base.clock,
        monotonic: () => time,
        sleep: async (seconds) => {
          time += seconds * 1000;
        },
      },
      processes: {
        ...base.processes,
        async run(argv) {
          ran.push(argv);
          return answers[Math.min(ran.length, answers.length) - 1] ?? { stdout: '', stderr: '', exitCode: 0 };
        },
      },
    };
    return { host, ran };
  }

  const waits: string[] = [];
  const options: WaitOptions = { limit: 3, checkAlive: async () => undefined, consoleTail: async () => 'web login:', onWait: (what) => waits.push(what) };
  const refused: CommandResult = { stdout: '', stderr: 'debian@127.0.0.1: Permission denied (publickey).\n', exitCode: 255 };

  test('names what it waits for, and goes on until a login works', async () => {
    const { host, ran } = hostWith(refused, refused, { stdout: '', stderr: '', exitCode: 0 });
    await waitForLogin(host, 'web', access(await greeter('SSH-2.0-OpenSSH_9.2\r\n')), options);
    expect(ran).toHaveLength(3);
    expect(waits).toEqual(["web's SSH server to answer", 'a login as debian on web']);
  });

  test('tries no login where one has worked already', async () => {
    const { host, ran } = hostWith(refused);
    await waitForLogin(host, 'web', access(await greeter('SSH-2.0-OpenSSH_9.2\r\n')), { ...options, login: false });
    expect(ran).toEqual([]);
  });

  test('a login that never works ends with the reason and the console', async () => {
    const { host } = hostWith(refused);
    await expect(waitForLogin(host, 'web', access(await greeter('SSH-2.0-x\r\n')), options)).rejects.toMatchObject({
      code: 'ssh-timeout',
      class: 'timeout',
      message: 'Waited 3 s in vain for a login as debian on web: debian@127.0.0.1: Permission denied (publickey).',
      detail: 'The end of the console:\nweb login:',
    });
  });

  test('a guest that is still busy is waited for beyond the limit, but not for ever', async () => {
    const { host } = hostWith(refused);
    const asked: boolean[] = [];
    const stillBusy = async (): Promise<boolean> => asked.push(true) < 3;
    const waiting = waitForLogin(host, 'web', access(await greeter('SSH-2.0-x\r\n')), { ...options, stillBusy });
    await expect(waiting).rejects.toMatchObject({ code: 'ssh-timeout', message: expect.stringContaining(`Waited ${Math.round(options.limit * 1.5)} s`) });
    expect(asked).toHaveLength(3);
    const always = waitForLogin(host, 'web', access(await greeter('SSH-2.0-x\r\n')), { ...options, stillBusy: () => Promise.resolve(true) });
    await expect(always).rejects.toMatchObject({ message: expect.stringContaining(`Waited ${options.limit * 4} s`) });
  });

  test.each([
    ['', 'connections are closed at once'],
    ['HTTP/1.1 400 Bad Request\r\n', 'something else than an SSH server answers'],
  ])('a port that says %j has no SSH server', async (text, reason) => {
    const { host, ran } = hostWith();
    await expect(waitForLogin(host, 'web', access(await greeter(text)), options)).rejects.toMatchObject({
      code: 'ssh-timeout',
      message: expect.stringContaining(reason),
    });
    expect(ran).toEqual([]);
  });

  test('a machine that ended is not waited for', async () => {
    const { host } = hostWith();
    const checkAlive = async (): Promise<void> => {
      throw new Error('it ended');
    };
    await expect(waitForLogin(host, 'web', access(await greeter('')), { ...options, checkAlive })).rejects.toThrow('it ended');
  });

  test('a server that is silent gets more time with each connection, up to a limit', () => {
    expect([0, 1, 2, 3, 50].map(silenceLimit)).toEqual([10, 20, 40, 40, 40]);
  });

  test('emulation is given more time', () => {
    expect([loginLimit('kvm'), loginLimit('hvf'), loginLimit('tcg')]).toEqual([120, 120, 600]);
  });
});
