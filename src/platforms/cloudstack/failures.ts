import * as z from 'zod';
import { IngotError, type ErrorClass } from '../../base/errors.ts';
import type { Answer } from '../transport.ts';
import { describeRequest, type CsRequest } from './requests.ts';

const bodySchema = z.looseObject({ errorcode: z.number().optional(), cserrorcode: z.number().optional(), errortext: z.string().nullish() });
type Body = z.output<typeof bodySchema>;

/** Seconds that the clocks may differ before a signature is refused for it: it holds for ten minutes. */
export const SKEW_LIMIT = 300;

/** What an error of the API stands for, by its code; the words below may say more. */
const BY_CODE: Readonly<Record<number, readonly [ErrorClass, string, string?]>> = {
  405: ['upstream', 'request-refused', 'The server wants another method: please report it.'],
  429: ['upstream', 'rate-limited', 'Too many requests for this account: wait, or raise api.throttling.max.'],
  430: ['upstream', 'request-invalid', 'This is a defect of ingot, or a version that it does not know: please report it.'],
  431: ['usage', 'parameter-refused'],
  432: ['host', 'command-missing', '`ingot target check` shows which commands the role of this user lacks; an administrator adds them under Roles.'],
  503: ['upstream', 'server-busy', 'The management server does not answer now: it may be starting.'],
  530: ['upstream', 'server-failed', 'The log of the management server has the cause: management-server.log.'],
  531: ['host', 'permission-missing', 'The user may not see or change that: check its role, domain and project.'],
  532: ['conflict', 'quota-full', 'The limit of the account is reached: `ingot target check` shows limits; an administrator raises them.'],
  533: ['space', 'capacity-missing', 'No host, storage or address has room for it: look at the capacity of the zone under Infrastructure.'],
  534: ['upstream', 'resource-unavailable', 'A host, storage or system VM that is needed is down: `ingot target check` shows what.'],
  535: ['conflict', 'quota-full', 'The limit of the account is reached: `ingot target check` shows limits; an administrator raises them.'],
  536: ['conflict', 'resource-in-use'],
  537: ['conflict', 'rule-conflict'],
};

/** Codes that mean one thing, whatever the words. */
const SAYS_ALL = new Set([405, 429, 432, 503]);

/** Words that have a meaning of their own, whatever the code that they came with. */
const BY_WORDS: readonly (readonly [RegExp, ErrorClass, string, string?])[] = [
  [
    /unable to (?:retrieve|find) secondary storage|no (?:suitable )?(?:image|secondary) stor/i,
    'space',
    'secondary-storage-missing',
    'The zone has no secondary storage with room: Infrastructure, Secondary storage.',
  ],
  [
    /checksum|doesn't match the checksum/i,
    'verification',
    'checksum-refused',
    'What arrived is not what was sent: run it again; a proxy in between may change it.',
  ],
  [
    /invalid extension|not a valid extension|file extension|please specify a valid (?:qcow2|vhd|ova)/i,
    'usage',
    'extension-wrong',
    'The path of the URL has to end as its format does: .qcow2, .vhd, .ova.',
  ],
  [
    /unknown host|Illegal (?:host|characters)|loopback|link ?local|site ?local|not allowed.*(?:host|address)|host.*not.*allowed/i,
    'host',
    'address-refused',
    'The server fetches from no such address: give one that secondary storage VMs reach with --serve; private ones must stand in secstorage.allowed.internal.sites.',
  ],
  [
    /user ?data.*(?:exceed|too (?:long|large)|maximum)/i,
    'usage',
    'user-data-too-long',
    'Let it fetch what is large, or an administrator raises vm.userdata.max.length.',
  ],
  [/maximum number of resources|limit.*exceeded|exceed.*limit/i, 'conflict', 'quota-full', 'An administrator raises the limit of the account.'],
  [/unable to find|does not exist|invalid id|due to incorrect long value format|entity does not exist|no such/i, 'not-found', 'remote-missing'],
  [/existing VMs|(?:are|is) using it|is in use/i, 'conflict', 'template-in-use', 'Delete those instances, or give --force.'],
  [/already (?:exists|in the zone|present)|with name .* exists/i, 'conflict', 'already-there'],
];

/** What an answer that is not a good one means. `skew`: seconds that the server's clock is ahead of ours. */
export function failureOf(request: Pick<CsRequest, 'command' | 'parameters'>, answer: Answer, skew: number | undefined): IngotError {
  const body = bodyOf(answer.text);
  const code = body.errorcode ?? answer.status;
  const words = (body.errortext ?? '').trim();
  const detail = describeRequest(request);
  if (code === 401) return refusedKey(words, skew, detail);
  if (answer.status >= 300 && answer.status < 400 && body.errorcode === undefined) {
    return new IngotError('upstream', 'no-cloudstack', 'The server redirects: that is not the API of CloudStack', {
      detail,
      hint: 'Check the address; it ends in /client/api.',
    });
  }
  if (answer.status === 404 && body.errorcode === undefined) {
    return new IngotError('upstream', 'no-cloudstack', 'There is no API of CloudStack at that address', { detail, hint: 'It ends in /client/api.' });
  }
  return saidBy(`CloudStack refuses ${request.command}`, code, words, detail);
}

/** What a job that has failed means. */
export function jobFailure(what: string, command: string, failure: Pick<Body, 'errorcode' | 'errortext'>): IngotError {
  return saidBy(`${what} failed`, failure.errorcode ?? 530, (failure.errortext ?? '').trim(), command);
}

function saidBy(what: string, code: number, words: string, detail: string): IngotError {
  const known = SAYS_ALL.has(code) ? undefined : BY_WORDS.find(([pattern]) => pattern.test(words));
  const coded = BY_CODE[code] ?? (code >= 500 ? (['upstream', 'server-failed', undefined] as const) : (['upstream', 'request-refused', undefined] as const));
  const [kind, name, hint] = known === undefined ? coded : [known[1], known[2], known[3]];
  const message = sentence(words === '' ? `${what}, with the error ${code} and no word` : `${what}: ${words}`);
  return new IngotError(kind, name, message, { detail, ...(hint === undefined ? {} : { hint }) });
}

/** The server does not say which it is: the signature, the key, the clock or the role. */
function refusedKey(words: string, skew: number | undefined, detail: string): IngotError {
  if (skew !== undefined && Math.abs(skew) > SKEW_LIMIT) {
    return new IngotError(
      'host',
      'clock-skew',
      `The server refuses the signature, and its clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} that of this host`,
      {
        detail,
        hint: 'A signature holds for minutes: set both clocks, `timedatectl set-ntp true`.',
      },
    );
  }
  return new IngotError('host', 'key-refused', sentence(`The server refuses the key${words === '' ? '' : `: ${words}`}`), {
    detail,
    hint: 'The API key or the secret key is another one by now, the user is disabled, or its role does not allow the command: compare them in the web interface under the user, then run `ingot target add` with --replace.',
  });
}

function sentence(text: string): string {
  return text.replace(/[.\s]+$/, '').replaceAll(/\s*\n\s*/g, ' ');
}

/** The errors stand below the one key of the answer. */
function bodyOf(text: string): Body {
  try {
    const outer: unknown = JSON.parse(text);
    const inner: unknown = typeof outer === 'object' && outer !== null ? Object.values(outer)[0] : undefined;
    const parsed = bodySchema.safeParse(inner);
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
