import { gzipSync } from 'node:zlib';
import { TAR_END, tarHeader, tarPadding } from '../../../store/tar.ts';
import type { AnswerFiles, OverlayEntry } from './answer-files.ts';

/** Every file with its bytes, the overlay packed: what is served, laid on the labelled disk, or put into a folder `http/`. The same facts give the same bytes. Pure. */
export function packedAnswers({ files, overlay }: Pick<AnswerFiles, 'files' | 'overlay'>): { readonly name: string; readonly content: Buffer }[] {
  return [
    ...(overlay === undefined ? [] : [{ name: overlay.name, content: gzipSync(Buffer.concat([...overlay.entries.flatMap(packed), TAR_END])) }]),
    ...files.map(({ name, text }) => ({ name, content: Buffer.from(text, 'utf8') })),
  ];
}

function packed(entry: OverlayEntry): Uint8Array[] {
  if ('target' in entry) return [tarHeader(entry.path, 0, { link: entry.target })];
  const content = Buffer.from(entry.text, 'utf8');
  return [tarHeader(entry.path, content.length, { mode: entry.mode }), content, tarPadding(content.length)];
}
