import { isMap, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { IngotError, type Problem } from '../../base/errors.ts';

/*
 * Files for cloud-init, checked before a VM is made of them: what cloud-init would ignore with a line in a log of the guest is refused here, at its place.
 */

/** More is no configuration, and the guest reads all of it at its first boot. */
export const LARGEST_CLOUD_INIT_FILE = 2 ** 20;

/** How user-data and vendor-data may begin. (cloud-init: explanation/format.) */
const HEADERS = ['#cloud-config', '#!', '#include', '#cloud-boothook', '#part-handler', '## template: jinja', 'Content-Type:', 'MIME-Version:'] as const;

const ARCHIVE = '#cloud-config-archive';

type Kind = 'user-data' | 'vendor-data' | 'network-config';

function fail(kind: Kind, file: string, message: string, more: { readonly hint?: string; readonly problems?: readonly Problem[] } = {}): IngotError {
  return new IngotError('usage', `${kind}-invalid`, `${file} is no ${kind}${message}`, more);
}

/** Text of a file for cloud-init. Throws `<kind>-invalid` for one that is no text, or too large for a seed. */
export function cloudInitText(kind: Kind, file: string, bytes: Uint8Array): string {
  if (bytes.length > LARGEST_CLOUD_INIT_FILE) throw fail(kind, file, ': it is larger than 1 MiB', { hint: 'Let it fetch what is large, or share a folder.' });
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) throw fail(kind, file, ' that ingot reads: it is compressed', { hint: 'Unpack it with gunzip.' });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fail(kind, file, ': it is no UTF-8 text');
  }
}

/** Checks user-data; throws `user-data-invalid`. */
export function checkUserData(file: string, text: string): void {
  checkParts('user-data', file, text);
}

/** Checks vendor-data; throws `vendor-data-invalid`. */
export function checkVendorData(file: string, text: string): void {
  if (/^(Content-Type|MIME-Version):/i.test(text)) {
    throw fail('vendor-data', file, " that can stand beside ingot's own: it is MIME", { hint: 'Write its parts as a #cloud-config-archive.' });
  }
  checkParts('vendor-data', file, text);
}

function checkParts(kind: Kind, file: string, text: string): void {
  if (!HEADERS.some((header) => text.startsWith(header))) {
    const first = text.split('\n', 1)[0]?.slice(0, 60) ?? '';
    throw fail(kind, file, `: its first line is ${first.trim() === '' ? 'empty' : JSON.stringify(first)}`, {
      hint: 'It begins with #cloud-config, #! for a script, #include, #cloud-boothook, #cloud-config-archive, or as MIME.',
    });
  }
  if (text.startsWith(ARCHIVE)) {
    if (!isSeq(parse(kind, file, text).contents)) throw fail(kind, file, ': a #cloud-config-archive is a list of parts');
  } else if (/^#cloud-config\s/.test(`${text}\n`)) {
    const { contents } = parse(kind, file, text);
    if (contents !== null && !isMap(contents)) throw fail(kind, file, ': a #cloud-config is a list of `name: value`');
  }
}

/** Checks a network configuration; throws `network-config-invalid`. */
export function checkNetworkConfig(file: string, text: string): void {
  const { contents } = parse('network-config', file, text);
  if (!isMap(contents)) throw fail('network-config', file, ': it is no list of `name: value`');
  const inner = contents.get('network');
  const version: unknown = (isMap(inner) ? inner : contents).get('version');
  if (version !== 1 && version !== 2) throw fail('network-config', file, ': its `version` is neither 1 nor 2', { hint: 'Begin it with `version: 2`.' });
}

/** Reads YAML; throws with each problem at its line and column. */
function parse(kind: Kind, file: string, text: string): Document.Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = document.errors.slice(0, 10).map((error): Problem => {
    const { line, col } = lines.linePos(error.pos[0]);
    const source = text.split('\n')[line - 1];
    return { message: error.message, position: { file, line: Math.max(1, line), column: Math.max(1, col) }, ...(source === undefined ? {} : { source }) };
  });
  if (problems.length > 0) throw fail(kind, file, ': it is no YAML', { problems });
  return document;
}

/** The parts of the user's vendor-data, as entries of a #cloud-config-archive: each is told by how it begins. */
export function vendorParts(text: string): unknown[] {
  if (!text.startsWith(ARCHIVE)) return [{ content: text }];
  const parts: unknown = parseDocument(text).toJS();
  return Array.isArray(parts) ? parts : [];
}
