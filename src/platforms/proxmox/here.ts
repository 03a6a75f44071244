import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Host } from '../../base/host.ts';
import { quoteCommand, type Argv, type CommandResult } from '../../base/process.ts';
import type { PlatformContext } from '../platform.ts';
import { neededPrivileges, ROLE } from './privileges.ts';
import { parseTokenId, type ProxmoxTarget } from './target.ts';

/*
 * A target to the node that ingot itself runs on: the same API over the same TLS, only that nobody has to type what the node knows. What is set up is what
 * `target token-script` prints.
 */

/** What the node shows its visitors: an operator's own certificate before the one of the cluster's CA. */
const CERTIFICATES = ['/etc/pve/local/pveproxy-ssl.pem', '/etc/pve/local/pve-ssl.pem'] as const;
const URL = 'https://127.0.0.1:8006';

export interface ThisNode {
  readonly version: string;
  readonly major: number;
  /** SHA-256 of its certificate. */
  readonly fingerprint: string;
}

/** Proxmox VE, where this host is a node of it. */
export async function findThisNode(host: Host): Promise<ThisNode | undefined> {
  const certificate = await firstText(host);
  if (certificate === undefined) return undefined;
  try {
    const { stdout } = await host.processes.run(['pveversion']);
    const version = /^pve-manager\/(\d+)\.(\S+?)\//.exec(stdout.trim());
    if (version === null) return undefined;
    return { version: `${version[1]}.${version[2]}`, major: Number(version[1]), fingerprint: new X509Certificate(certificate).fingerprint256 };
  } catch (error) {
    if (error instanceof IngotError) return undefined;
    throw error;
  }
}

async function firstText({ files }: Host): Promise<string | undefined> {
  for (const path of CERTIFICATES) {
    const text = await readTextIfThere(files, path);
    if (text !== undefined) return text;
  }
  return undefined;
}

/**
 * Makes role, user and token on this node after consent, as `target token-script` would, and returns the target with its secret. Throws `no-proxmox-here`,
 * `root-needed`, `token-exists`, `target-refused`.
 */
export async function targetHere(
  context: PlatformContext,
  name: string,
): Promise<{ readonly target: ProxmoxTarget; readonly secret: string; readonly version: string }> {
  const { host } = context;
  const node = await findThisNode(host);
  if (node === undefined) {
    throw new IngotError('host', 'no-proxmox-here', 'This host is no node of Proxmox VE', {
      hint: '`ingot target add proxmox` makes a target to one elsewhere.',
    });
  }
  if (host.machine.uid !== 0) throw new IngotError('host', 'root-needed', 'Only root may make a user and a token on this node', { hint: 'Run it with sudo.' });
  const tokenId = parseTokenId(`ingot@pve!${name}`);
  const plan = commands(node.major, name, tokenId);
  const asked = `These make a role, a user and a token for ingot on ${hostname()} (Proxmox VE ${node.version}), and give them what publishing needs:`;
  const lines = [...plan.before, plan.token, ...plan.after].map((argv) => `  ${quoteCommand(argv)}`);
  if (!(await context.consent(`${[asked, ...lines].join('\n')}\nRun them?`))) throw new IngotError('interrupted', 'target-refused', 'Nothing was set up');
  const secret = await setUp(context, name, plan);
  return {
    version: node.version,
    secret,
    target: { platform: 'proxmox', name, url: URL, tokenId, trust: { kind: 'fingerprint', sha256: node.fingerprint }, defaults: {} },
  };
}

interface Plan {
  /** What may be there already. */
  readonly before: readonly Argv[];
  /** Prints the secret. */
  readonly token: Argv;
  /** Only what exists can be given rights. */
  readonly after: readonly Argv[];
}

const USER = 'ingot@pve';

function commands(major: number, name: string, tokenId: string): Plan {
  const needs = neededPrivileges(major);
  const privileges = [...new Set(needs.map(({ privilege }) => privilege))].toSorted().join(' ');
  const paths = [...new Set(needs.map(({ path }) => path))];
  return {
    before: [
      ['pveum', 'role', 'add', ROLE],
      ['pveum', 'role', 'modify', ROLE, '--privs', privileges],
      ['pveum', 'user', 'add', USER, '--comment', 'ingot'],
    ],
    token: ['pveum', 'user', 'token', 'add', USER, name, '--privsep', '1', '--comment', 'ingot', '--output-format', 'json'],
    after: paths.flatMap((path): Argv[] => [
      ['pveum', 'acl', 'modify', path, '--users', USER, '--roles', ROLE],
      ['pveum', 'acl', 'modify', path, '--tokens', tokenId, '--roles', ROLE],
    ]),
  };
}

const tokenSchema = z.looseObject({ value: z.string().min(1) });

/** Runs them. A token that cannot be given its rights is taken away again: nobody would know its secret. */
async function setUp({ host }: PlatformContext, name: string, { before, token, after }: Plan): Promise<string> {
  for (const argv of before) await unlessThere(() => host.processes.run(argv));
  const made = await unlessThere(() => host.processes.run(token));
  if (made === undefined) {
    throw new IngotError('conflict', 'token-exists', `${USER} has a token ${name} already, whose secret nobody can read`, {
      hint: `Choose another name, or remove it: \`pveum user token remove ${USER} ${name}\`.`,
    });
  }
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => void (await host.processes.run(['pveum', 'user', 'token', 'remove', USER, name])));
  const answer = tokenSchema.safeParse(jsonOf(made.stdout));
  if (!answer.success) throw new IngotError('upstream', 'answer-unknown', 'pveum made a token and did not print its secret');
  for (const argv of after) await host.processes.run(argv);
  undo.move();
  return answer.data.value;
}

/** Undefined where what is to be made is there. */
async function unlessThere(make: () => Promise<CommandResult>): Promise<CommandResult | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof IngotError && /already exists/i.test(`${error.message} ${error.detail ?? ''}`)) return undefined;
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
