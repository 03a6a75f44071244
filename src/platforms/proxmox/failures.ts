import * as z from 'zod';
import { IngotError, type ErrorClass, type Problem } from '../../base/errors.ts';
import { describeRequest, type PveRequest } from './requests.ts';
import type { Answer } from '../transport.ts';

const bodySchema = z.looseObject({ message: z.string().nullish(), errors: z.record(z.string(), z.unknown()).nullish() });

/** What an answer that is not a good one means. The cause is in the reason phrase, or in the body's `message` and `errors`. */
export function failureOf(request: Pick<PveRequest, 'method' | 'path' | 'parameters'>, answer: Answer, tokenId: string): IngotError {
  const body = bodyOf(answer.text);
  const words = (body.message ?? answer.reason).trim() || `HTTP status ${answer.status}`;
  const problems = Object.entries(body.errors ?? {}).map(([path, message]): Problem => ({ path, message: String(message).trim() }));
  const make = (kind: ErrorClass, code: string, message: string, hint?: string): IngotError =>
    new IngotError(kind, code, sentence(message), { problems, detail: describeRequest(request), ...(hint === undefined ? {} : { hint }) });
  const { status } = answer;
  if (status === 401) {
    return make(
      'host',
      'token-refused',
      `The server refuses the token ${tokenId}: ${words}`,
      'It may have expired, or been removed, or the secret is another one: see Datacenter, Permissions, API Tokens, then run `ingot target add` with --replace.',
    );
  }
  if (status === 403) return make('host', 'permission-missing', `The token ${tokenId} may not do that: ${words}`, permissionHint(words, tokenId));
  if (status === 400 && problems.length > 0)
    return make(
      'upstream',
      'request-invalid',
      'The server refuses parameters of a request',
      'This is a defect of ingot, or a version that it does not know: please report it.',
    );
  if (status === 501)
    return make(
      'upstream',
      'request-unknown',
      `This version of Proxmox VE does not know ${request.method} ${request.path}`,
      'Proxmox VE 8.4 or later is needed.',
    );
  // The node that was asked could not reach the one that it was about.
  if (status === 595 || status === 596 || status === 599) {
    return make(
      'upstream',
      'node-unreachable',
      `The node ${String(request.parameters['node'] ?? '')} cannot be reached from the one that was asked: ${words}`,
      'Check whether it is up: `ingot target check` shows all nodes.',
    );
  }
  if (status >= 300 && status < 400)
    return make('upstream', 'no-proxmox', 'The server redirects: that is not the API of Proxmox VE', 'Check the address; the port is 8006.');
  return serverFailure(words, make);
}

/** Failures that have a sentence of their own; all come with status 500. */
const KNOWN: readonly (readonly [RegExp, ErrorClass, string, string?])[] = [
  [/already exists|VMID \d+ (?:is )?already/i, 'conflict', 'vmid-taken'],
  // Also a timeout, of the guest's and of no lock: trying again would only wait as long again.
  [/(?:powerdown|shutdown) failed/i, 'timeout', 'guest-stays'],
  [/can't lock file|got (?:lock request )?timeout|is locked/i, 'conflict', 'locked', 'Something else is at work there. Run it again when it is done.'],
  [
    /no space left|not enough (?:free )?space|out of space|disk full/i,
    'space',
    'storage-full',
    'Free space on that storage, or choose another one with --storage or --upload-storage.',
  ],
  [/checksum mismatch/i, 'verification', 'checksum-refused', 'The file has changed while it was sent, or on its way. Run it again.'],
  [/does not exist|no such|unable to find|not found/i, 'not-found', 'remote-missing'],
  [/guest agent is not running|agent.*not running|got no response/i, 'conflict', 'agent-silent'],
  [/still in use by linked clone|base volume .* in use/i, 'conflict', 'template-in-use'],
];

function serverFailure(words: string, make: (kind: ErrorClass, code: string, message: string, hint?: string) => IngotError): IngotError {
  const known = KNOWN.find(([pattern]) => pattern.test(words));
  return known === undefined ? make('upstream', 'server-failed', `Proxmox VE says: ${words}`) : make(known[1], known[2], `Proxmox VE says: ${words}`, known[3]);
}

/** What a task that has failed means. */
export function taskFailure(what: string, exit: string, log: readonly string[], upid: string): IngotError {
  const detail = [...log.slice(-20), upid].join('\n');
  const words = [exit, ...log.slice(-5)].join('\n');
  const known = KNOWN.find(([pattern]) => pattern.test(words));
  return new IngotError(known?.[1] ?? 'upstream', known?.[2] ?? 'task-failed', sentence(`${what} failed: ${exit}`), {
    detail,
    ...(known?.[3] === undefined ? {} : { hint: known[3] }),
  });
}

/** The role to be given, as a line for the shell of a node. */
function permissionHint(words: string, tokenId: string): string {
  const [, path = '/', privileges = ''] = /\(([^,)]+),\s*([^)]+)\)/.exec(words) ?? [];
  const list = privileges.split(/[,\s|]+/).filter((word) => /^[A-Z]\w+\.\w/.test(word));
  if (list.length === 0) return '`ingot target check` says what it lacks, and `ingot target token-script` prints how to give it.';
  return `On a node: ${grantLine(path, list, tokenId)}`;
}

/** Commands that give privileges on a path to a token and to its user, since a token can do only what both may. */
export function grantLine(path: string, privileges: readonly string[], tokenId: string): string {
  const role = 'IngotExtra';
  const user = tokenId.slice(0, tokenId.indexOf('!'));
  const privs = privileges.join(',');
  return [
    // A role that is there gets them as well.
    `pveum role modify ${role} --append --privs "${privs}" || pveum role add ${role} --privs "${privs}"`,
    `pveum acl modify ${path} --users '${user}' --roles ${role}`,
    `pveum acl modify ${path} --tokens '${tokenId}' --roles ${role}`,
  ].join('; ');
}

function sentence(text: string): string {
  return text.replace(/[.\s]+$/, '').replaceAll(/\s*\n\s*/g, ' ');
}

function bodyOf(text: string): z.output<typeof bodySchema> {
  try {
    const parsed = bodySchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
