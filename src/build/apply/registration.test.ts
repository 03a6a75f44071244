import { expect, test } from 'vitest';
import { sampleHome, type SampleHome } from '../../../tests/support/sample-images.ts';
import { IngotError } from '../../base/errors.ts';
import { Events } from '../../base/events.ts';
import { registration as rhelRegistration } from '../../families/rhel/registration.ts';
import { registration as suseRegistration } from '../../families/suse/registration.ts';
import type { ExecuteOptions, Executor } from '../../workspace/executor.ts';
import { GuestRoot } from '../../workspace/guest-root.ts';
import { whileRegistered, type Registering } from './registration.ts';

const REGISTRATION = rhelRegistration({ vendor: 'rhel', organization: '1', secret: 'vendor-key', repositories: [] });
const SECRET = 'K3y-that-nobody-reads';
type Part = 'register' | 'identify' | 'unregister' | 'clean' | 'check';
const PARTS: readonly Part[] = ['register', 'identify', 'unregister', 'clean', 'check'];

/** A root whose commands are not run; `fails` says which fail, and with what words. */
class Pretended implements AsyncDisposable {
  readonly called: { readonly part: string; readonly options: ExecuteOptions }[] = [];
  readonly said: string[] = [];
  readonly masked: string[] = [];
  readonly refused: string[] = [];
  readonly stop = new AbortController();
  readonly root: GuestRoot;
  readonly fails = new Map<Part, IngotError>();
  readonly home: SampleHome;

  constructor(home: SampleHome) {
    this.home = home;
    const executor: Executor = {
      run: (_argv, options = {}) => {
        const part = PARTS.find((name) => REGISTRATION[name].argv === options.shown) ?? 'other';
        this.called.push({ part, options });
        const failure = PARTS.flatMap((name) => (name === part ? [this.fails.get(name)] : [])).at(0);
        if (failure !== undefined) return Promise.reject(failure);
        return Promise.resolve({ stdout: part === 'identify' ? 'uuid-1\npassword-1\n' : '', stderr: '', exitCode: 0 });
      },
      start: () => Promise.reject(new Error('nothing is started')),
      terminalCommand: (argv) => argv,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    this.root = new GuestRoot(executor, '/root-of-the-image');
  }

  registering(): Registering {
    const { host, home } = this.home;
    const events = new Events('test', (event) => void (event.type === 'message' && this.said.push(event.text)), host);
    return {
      context: { host, home, events, signal: this.stop.signal },
      place: { kind: 'host' },
      secrets: { value: () => Promise.resolve(`${SECRET}\n`) },
      mask: (values) => void this.masked.push(...values),
      refuse: (values) => void this.refused.push(...values),
    };
  }

  get parts(): string[] {
    return this.called.map(({ part }) => part);
  }

  async journal(): Promise<string[]> {
    return await this.home.host.files.list(this.home.home.registrations);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.home[Symbol.asyncDispose]();
  }
}

const failed = (words: string): IngotError => new IngotError('command', 'command-failed', 'sh ended with exit code 70', { detail: `$ sh\n${words}` });

test('it is registered before the work, by a secret that only standard input has, and unregistered and forgotten after it', async () => {
  await using at = new Pretended(await sampleHome());
  await whileRegistered(at.registering(), at.root, REGISTRATION, async () => {
    at.called.push({ part: 'work', options: {} });
    expect(await at.journal()).toHaveLength(1);
  });
  expect(at.parts).toEqual(['register', 'identify', 'work', 'unregister', 'clean']);
  expect(at.called[0]?.options.stdin).toBe(`${SECRET}\n`);
  expect(JSON.stringify(REGISTRATION)).not.toContain(SECRET);
  expect([at.masked, at.refused, await at.journal()]).toEqual([
    [SECRET, 'password-1'],
    ['uuid-1', 'password-1', Buffer.from('uuid-1:password-1').toString('base64'), SECRET],
    [],
  ]);
});

test('where the user stops it, what is under way at the vendor goes on to its end, and is taken back', async () => {
  await using at = new Pretended(await sampleHome());
  const stopped = new IngotError('interrupted', 'interrupted', 'Stopped');
  const work = (): Promise<void> => {
    at.stop.abort(stopped);
    return Promise.reject(stopped);
  };
  await expect(whileRegistered(at.registering(), at.root, REGISTRATION, work)).rejects.toBe(stopped);
  expect(at.parts).toEqual(['register', 'identify', 'unregister', 'clean']);
  for (const { part, options } of at.called) expect([part, options.uninterrupted, (options.timeout ?? 0) > 0]).toEqual([part, true, true]);
});

test('where it is stopped before, nobody is asked', async () => {
  await using at = new Pretended(await sampleHome());
  at.stop.abort(new IngotError('interrupted', 'interrupted', 'Stopped'));
  await expect(whileRegistered(at.registering(), at.root, REGISTRATION, () => Promise.resolve())).rejects.toMatchObject({ code: 'interrupted' });
  expect(at.parts).not.toContain('register');
});

test('a refusal is told in the words of the vendor', async () => {
  await using at = new Pretended(await sampleHome());
  at.fails.set('register', failed('Organization 1 does not exist.'));
  await expect(whileRegistered(at.registering(), at.root, REGISTRATION, () => expect.unreachable())).rejects.toMatchObject({
    class: 'upstream',
    code: 'subscription-refused',
    message: 'The system could not be registered at Red Hat: Organization 1 does not exist',
    hint: expect.stringContaining('vendor-key'),
  });
  expect([at.parts, await at.journal()]).toEqual([['register', 'unregister', 'clean'], []]);
});

test('what cannot be unregistered, after a second try, is the error; after another failure it is told beside it', async () => {
  await using at = new Pretended(await sampleHome());
  at.fails.set('unregister', failed('Network error'));
  await expect(whileRegistered(at.registering(), at.root, REGISTRATION, () => Promise.resolve())).rejects.toMatchObject({
    code: 'unregistration-failed',
    message: expect.stringMatching(/^The system ingot-\w+ \(uuid-1\) may still be registered at Red Hat: .*Network error/),
    hint: expect.stringMatching(/^Remove it at /),
  });
  expect(at.parts).toEqual(['register', 'identify', 'unregister', 'unregister', 'clean']);
  const first = new Error('the work');
  await expect(whileRegistered(at.registering(), at.root, REGISTRATION, () => Promise.reject(first))).rejects.toBe(first);
  expect(at.said).toEqual([expect.stringMatching(/may still be registered at Red Hat: .*Network error.*Remove it at/)]);
  expect(await at.journal()).toEqual([]);
});

test('of a registration that was cut off, what may be left is told', async () => {
  await using at = new Pretended(await sampleHome());
  at.fails.set('register', new IngotError('timeout', 'command-timeout', 'sh did not end within 600 s'));
  at.fails.set('identify', failed('nothing is there'));
  await expect(whileRegistered(at.registering(), at.root, REGISTRATION, () => expect.unreachable())).rejects.toMatchObject({ code: 'subscription-refused' });
  expect(at.said).toEqual([expect.stringMatching(/^The system ingot-\w+ may still be registered at Red Hat: it did not answer. Remove it at /)]);
});

test('a family registers at its own vendor alone', () => {
  expect(() => suseRegistration({ vendor: 'rhel', organization: '1', secret: 's', repositories: [] })).toThrow('SUSE alone');
  expect(() => rhelRegistration({ vendor: 'sles', modules: [] })).toThrow('Red Hat alone');
});
