import { createServer, type RequestListener } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { alertEvent, alertOfEnd, type AlertContext, type JobEnd } from './alerts.ts';
import { IngotError } from './errors.ts';
import { Events } from './events.ts';
import type { Host } from './host.ts';
import { readSettingsText } from './settings-file.ts';
import { settingsSchema } from './settings-schema.ts';

const LONG = { operation: 'build', seconds: 61.23456 };

interface Lab extends AlertContext {
  readonly said: string[];
}

function labOf(at: SampleHome, settings: Record<string, unknown>, host: Host = at.host): Lab {
  const said: string[] = [];
  const events = new Events('test', (event) => void (event.type === 'message' && said.push(`${event.level}: ${event.text}`)), host);
  return { host, home: at.home, settings: settingsSchema.parse(settings), events, said };
}

/** A hook that keeps what it is told, and then does something. */
async function hookOf(at: SampleHome, then = ''): Promise<{ command: string; told: () => Promise<string> }> {
  const [command, file] = [join(at.home.root, 'hook'), join(at.home.root, 'told')];
  await writeFile(command, `#!/bin/sh\ncat >${file}\necho noise\n${then}\n`, { mode: 0o755 });
  return { command, told: () => readFile(file, 'utf8') };
}

async function serving(listener: RequestListener, work: (address: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  try {
    await work(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A host whose waits are over at once: what would take ten seconds has taken them. */
function impatient(host: Host): Host {
  return {
    ...host,
    clock: { ...host.clock, sleep: (_seconds, signal) => (signal?.aborted === true ? Promise.reject(new Error('aborted')) : Promise.resolve()) },
  };
}

describe('the event', () => {
  const cases: readonly [string, Partial<JobEnd>, unknown][] = [
    ['done', { exitCode: 0 }, undefined],
    ['failed', { exitCode: 7 }, undefined],
    ['failed', { error: new IngotError('command', 'step-failed', 'The step "x" failed', { detail: 'a password', hint: 'h' }) }, 'step-failed'],
    ['failed', { error: new Error('boom') }, 'internal'],
    ['interrupted', { error: new IngotError('interrupted', 'interrupted', 'Stopped before it was done') }, 'interrupted'],
  ];
  test.each(cases)('of a job that is %s (%o)', async (outcome, end, code) => {
    await using at = await sampleHome();
    const event = alertEvent(at.host, { ...LONG, ...end });
    expect(event).toMatchObject({ v: 1, operation: 'build', outcome, seconds: 61.235, host: at.host.machine.hostname });
    expect(event.error?.code).toBe(code);
    expect(JSON.stringify(event)).not.toContain('password');
  });
});

describe('a command', () => {
  test('gets the event on standard input, and what it prints is not shown', async () => {
    await using at = await sampleHome();
    const { command, told } = await hookOf(at);
    const lab = labOf(at, { 'alert-command': command });
    await alertOfEnd(lab, { ...LONG, exitCode: 0 });
    expect(JSON.parse(await told())).toMatchObject({ operation: 'build', outcome: 'done' });
    expect(lab.said).toEqual([]);
  });

  test('is not called for what was quick', async () => {
    await using at = await sampleHome();
    const { command, told } = await hookOf(at);
    await alertOfEnd(labOf(at, { 'alert-command': command }), { ...LONG, seconds: 59.9, error: new Error('boom') });
    await expect(told()).rejects.toThrow('ENOENT');
    await alertOfEnd(labOf(at, { 'alert-command': command, 'alert-after': 0 }), { ...LONG, seconds: 0.1 });
    expect(await told()).toContain('"outcome":"done"');
  });

  test('that fails, is missing, or reads nothing is a warning at most', async () => {
    await using at = await sampleHome();
    const { command } = await hookOf(at, 'exit 3');
    const deaf = join(at.home.root, 'deaf');
    await writeFile(deaf, '#!/bin/sh\nexec true\n', { mode: 0o755 });
    for (const [path, said] of [
      [command, [`warn: alert-command failed: ${command} ended with exit code 3`]],
      ['/nowhere/hook', ['warn: alert-command failed: /nowhere/hook could not be started: it is missing, or may not be run']],
      [deaf, []],
    ] as const) {
      const lab = labOf(at, { 'alert-command': path });
      await alertOfEnd(lab, LONG);
      expect(lab.said).toEqual(said);
    }
  });

  test('that does not end is killed with all that it started', async () => {
    await using at = await sampleHome();
    const { command } = await hookOf(at, 'sleep 1000');
    const signals: (readonly [number, string])[] = [];
    const host = impatient(at.host);
    const signal: Host['processes']['signal'] = (pid, name) => (signals.push([pid, name]), host.processes.signal(pid, name));
    const lab = labOf(at, { 'alert-command': command }, { ...host, processes: { ...host.processes, signal } });
    await alertOfEnd(lab, LONG);
    expect(lab.said).toEqual(['warn: alert-command failed: it was not done within 10 s and was stopped']);
    // Its whole group: the shell and what it waits for.
    expect(signals).toEqual([[expect.any(Number), 'SIGKILL']]);
    expect(signals[0]?.[0]).toBeLessThan(-1);
  });
});

describe('a webhook', () => {
  test('gets the event by POST, at an address that the secret store has', async () => {
    await using at = await sampleHome();
    const got: string[] = [];
    await serving(
      (request, response) => {
        let body = '';
        request.on('data', (piece) => (body += String(piece)));
        request.on('end', () => {
          got.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
          response.end('thanks');
        });
      },
      async (address) => {
        const lab = labOf(at, { 'alert-webhook': 'secret:hook' }, { ...at.host, env: { ...at.host.env, INGOT_SECRET_HOOK: `${address}/T0/hush\n` } });
        await alertOfEnd(lab, { ...LONG, error: new IngotError('space', 'store-full', 'No space left') });
        expect(lab.said).toEqual([]);
        await alertOfEnd(labOf(at, { 'alert-webhook': address }), LONG);
      },
    );
    expect(got).toEqual([
      expect.stringMatching(/^POST \/T0\/hush application\/json \{"v":1,.*"store-full"/),
      expect.stringMatching(/^POST \/ application\/json \{"v":1,.*"done"/),
    ]);
  });

  test('that refuses, redirects, is away or slow is a warning, which never shows the address', async () => {
    await using at = await sampleHome();
    const env = (value: string): Host => ({ ...at.host, env: { ...at.host.env, INGOT_SECRET_HOOK: value } });
    const warningOf = async (host: Host): Promise<string> => {
      const lab = labOf(at, { 'alert-webhook': 'secret:hook' }, host);
      await alertOfEnd(lab, LONG);
      expect(lab.said.join()).not.toContain('hush');
      return lab.said.join();
    };
    await serving(
      (request, response) => {
        if (request.url === '/slow/hush') return;
        response.writeHead(request.url === '/no/hush' ? 403 : 302, { location: '/elsewhere' }).end();
      },
      async (address) => {
        expect(await warningOf(env(`${address}/no/hush`))).toBe('warn: alert-webhook failed: the webhook answered with HTTP status 403');
        expect(await warningOf(env(`${address}/moved/hush`))).toContain('HTTP status 302');
        expect(await warningOf(impatient(env(`${address}/slow/hush`)))).toContain('not done within 10 s');
      },
    );
    expect(await warningOf(env('http://127.0.0.1:1/hush'))).toMatch(/cannot be reached \([\w ]+\)$/);
    expect(await warningOf(env('hush hush'))).toContain('is not an http or https address');
    expect(await warningOf(at.host)).toContain('There is no secret "hook"');
  });
});

test('the settings of alerts are checked, and no project can make them', () => {
  const problems = (text: string, level: 'user' | 'project') => readSettingsText(text, '/s.yaml', level).problems.map(({ message }) => message);
  expect(problems('alert-command: notify-send hello\n', 'user')).toEqual(['is not an absolute path, or one that starts with ~/']);
  expect(problems('alert-webhook: ftp://a\n', 'user')).toEqual(['is not an http or https address, nor secret: and the name of a secret']);
  expect(problems('alert-command: ~/bin/tell\nalert-webhook: secret:hook\nalert-after: 5\n', 'user')).toEqual([]);
  expect(problems('alert-command: /bin/sh\nalert-webhook: https://a\nalert-after: 0\nimage-prune: after-build\n', 'project')).toHaveLength(4);
});
