import { IngotError } from '../../base/errors.ts';

export interface Port {
  readonly number: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Ports as templates and roles write them, `80/tcp`; each once, in order of their numbers. Throws `port-invalid`. */
export function parsePorts(texts: readonly string[]): Port[] {
  const ports = new Map(texts.map((text) => [text, parsePort(text)]));
  return [...ports.values()].toSorted((a, b) => a.number - b.number || (a.protocol < b.protocol ? -1 : 1));
}

function parsePort(text: string): Port {
  const [, digits = '', protocol] = /^([1-9][0-9]{0,4})\/(tcp|udp)$/.exec(text) ?? [];
  const number = Number(digits);
  if ((protocol === 'tcp' || protocol === 'udp') && number <= 65_535) return { number, protocol };
  throw new IngotError('usage', 'port-invalid', `${JSON.stringify(text)} is no port`, { hint: 'Write a number and its protocol: 80/tcp or 53/udp.' });
}
