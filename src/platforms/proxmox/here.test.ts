import { expect, test } from 'vitest';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { publishLab } from '../../../tests/support/publish-lab.ts';
import type { PlatformContext } from '../platform.ts';
import { findThisNode, targetHere } from './here.ts';

interface Node {
  readonly context: PlatformContext;
  readonly ran: string[];
  readonly asked: string[];
}

/** A host that is a node: its programs answer as those of Proxmox VE, and its certificate is the simulator's. */
function node(
  base: PlatformContext,
  certificate: string,
  options: { readonly agrees?: boolean; readonly there?: readonly string[]; readonly fails?: string } = {},
): Node {
  const ran: string[] = [];
  const asked: string[] = [];
  const host: Host = {
    ...base.host,
    machine: { ...base.host.machine, uid: 0 },
    files: {
      ...base.host.files,
      read: (path) => (path === '/etc/pve/local/pve-ssl.pem' ? Promise.resolve(Buffer.from(certificate)) : base.host.files.read(path)),
    },
    processes: {
      ...base.host.processes,
      run(argv) {
        const line = argv.join(' ');
        ran.push(line);
        if (line === 'pveversion') return Promise.resolve({ exitCode: 0, stdout: 'pve-manager/9.1.3/abcdef (running kernel: 6.14)\n', stderr: '' });
        const made = (options.there ?? []).find((what) => line.startsWith(what));
        if (made !== undefined) throw new IngotError('command', 'command-failed', `pveum failed`, { detail: 'create failed: it already exists' });
        if (options.fails !== undefined && line.startsWith(options.fails)) throw new IngotError('command', 'command-failed', 'pveum failed');
        const stdout = line.startsWith('pveum user token add') ? JSON.stringify({ 'full-tokenid': 'ingot@pve!here', value: 'the-secret' }) : '';
        return Promise.resolve({ exitCode: 0, stdout, stderr: '' });
      },
    },
  };
  return { ran, asked, context: { ...base, host, consent: (question) => Promise.resolve(asked.push(question) > 0 && options.agrees !== false) } };
}

test('a node is known by its certificate and its version; any other host is none', async () => {
  await using lab = await publishLab();
  expect(await findThisNode(lab.context().host)).toBeUndefined();
  await expect(targetHere(lab.context(), 'here')).rejects.toMatchObject({ code: 'no-proxmox-here' });
  const { context } = node(lab.context(), lab.simulator.tls.certificate);
  expect(await findThisNode(context.host)).toEqual({ version: '9.1.3', major: 9, fingerprint: lab.simulator.tls.fingerprint });
});

test('role, user and token are made once they are agreed to, the token before its rights', async () => {
  await using lab = await publishLab();
  const here = node(lab.context(), lab.simulator.tls.certificate, { there: ['pveum role add', 'pveum user add'] });
  const { target, secret } = await targetHere(here.context, 'here');
  expect(target).toMatchObject({
    url: 'https://127.0.0.1:8006',
    tokenId: 'ingot@pve!here',
    trust: { kind: 'fingerprint', sha256: lab.simulator.tls.fingerprint },
  });
  expect(secret).toBe('the-secret');
  // Every command that ran was shown before.
  for (const line of here.ran.slice(1)) expect(here.asked[0]?.replaceAll("'", '')).toContain(line);
  const [token, right] = [here.ran.findIndex((line) => line.includes('token add')), here.ran.findIndex((line) => line.includes('--tokens'))];
  expect(token).toBeLessThan(right);
});

test('what is refused, taken or cut leaves no token behind', async () => {
  await using lab = await publishLab();
  const refused = node(lab.context(), lab.simulator.tls.certificate, { agrees: false });
  await expect(targetHere(refused.context, 'here')).rejects.toMatchObject({ code: 'target-refused' });
  expect(refused.ran).toEqual(['pveversion']);
  const taken = node(lab.context(), lab.simulator.tls.certificate, { there: ['pveum user token add'] });
  await expect(targetHere(taken.context, 'here')).rejects.toMatchObject({ code: 'token-exists' });
  const cut = node(lab.context(), lab.simulator.tls.certificate, { fails: 'pveum acl' });
  await expect(targetHere(cut.context, 'here')).rejects.toMatchObject({ code: 'command-failed' });
  expect(cut.ran.at(-1)).toBe('pveum user token remove ingot@pve here');
});
