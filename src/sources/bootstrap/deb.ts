import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { IngotError } from '../../base/errors.ts';
import type { Processes } from '../../base/process.ts';

/*
 * Debian packages are ar archives (deb(5)): debian-binary, control.tar.*, data.tar.*. dpkg unpacks them one after the
 * other on one core, most of the time inside xz. Expanding their data beforehand, on all cores and while others are
 * still downloading, takes that time away and leaves dpkg's own work as it is: it gets packages whose data member is
 * plain `data.tar`, which deb(5) allows.
 */

const MAGIC = '!<arch>\n';
const HEADER = 60;
const CHUNK = 2 ** 18;

interface Member {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** The members of an ar archive, from its headers. Throws `package-damaged`. */
export async function readMembers(file: FileHandle, path: string): Promise<Member[]> {
  const damaged = (): IngotError => new IngotError('verification', 'package-damaged', `${path} is not a Debian package`);
  const { size: total } = await file.stat();
  const buffer = Buffer.alloc(HEADER);
  if ((await file.read(buffer, 0, MAGIC.length, 0)).bytesRead !== MAGIC.length || buffer.toString('latin1', 0, MAGIC.length) !== MAGIC) throw damaged();
  const members: Member[] = [];
  for (let position = MAGIC.length; position < total;) {
    if ((await file.read(buffer, 0, HEADER, position)).bytesRead !== HEADER) throw damaged();
    const size = Number(buffer.toString('latin1', 48, 58).trim());
    const name = buffer.toString('latin1', 0, 16).trim().replace(/\/$/, '');
    if (!Number.isInteger(size) || size < 0 || buffer.toString('latin1', 58, 60) !== '`\n' || position + HEADER + size > total) throw damaged();
    members.push({ name, offset: position + HEADER, size });
    position += HEADER + size + (size % 2);
  }
  return members;
}

function memberHeader(name: string, size: number): Buffer {
  const field = (text: string, width: number): string => text.padEnd(width);
  return Buffer.from(`${field(name, 16)}${field('0', 12)}${field('0', 6)}${field('0', 6)}${field('100644', 8)}${field(String(size), 10)}\`\n`, 'latin1');
}

/** Writes the package `from` to `to` with its data member decompressed. */
export async function expandDeb(processes: Processes, from: string, to: string): Promise<void> {
  await using source = await open(from, 'r');
  const members = await readMembers(source, from);
  const control = members.find((member) => member.name.startsWith('control.tar'));
  const data = members.find((member) => member.name.startsWith('data.tar'));
  if (control === undefined || data === undefined) throw new IngotError('verification', 'package-damaged', `${from} has no control or data member`);
  await using target = await open(to, 'w', 0o644);
  const controlBytes = Buffer.alloc(control.size);
  await source.read(controlBytes, 0, control.size, control.offset);
  const head = [
    Buffer.from(MAGIC),
    memberHeader('debian-binary', 4),
    Buffer.from('2.0\n'),
    memberHeader(control.name, control.size),
    controlBytes,
    ...(control.size % 2 === 1 ? [Buffer.from('\n')] : []),
  ];
  const headBytes = Buffer.concat(head);
  await target.write(headBytes, 0, headBytes.length, 0);
  const start = headBytes.length + HEADER;
  let position = start;
  const sink = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      await target.write(chunk, 0, chunk.length, position);
      position += chunk.length;
    }
  };
  await decompress(processes, data.name, readRange(source, data), sink, from);
  const size = position - start;
  const header = memberHeader('data.tar', size);
  await target.write(header, 0, header.length, headBytes.length);
  if (size % 2 === 1) await target.write('\n', position);
}

async function* readRange(file: FileHandle, { offset, size }: Member): AsyncGenerator<Buffer> {
  for (let position = offset; position < offset + size;) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, offset + size - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return; // cut short meanwhile: what decompresses it will say so
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function decompress(
  processes: Processes,
  name: string,
  input: AsyncIterable<Buffer>,
  sink: (chunks: AsyncIterable<Buffer>) => Promise<void>,
  from: string,
): Promise<void> {
  if (name === 'data.tar') return await pipeline(input, sink);
  if (name === 'data.tar.gz') return await pipeline(input, createGunzip(), sink);
  if (name === 'data.tar.zst') return await pipeline(input, createZstdDecompress(), sink);
  if (name !== 'data.tar.xz') throw new IngotError('host', 'package-compression-unknown', `${from} is compressed in a way that is not known: ${name}`);
  const xz = processes.spawn(['xz', '-dc'], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
  if (xz.stdin === null || xz.stdout === null) throw new IngotError('internal', 'no-pipe', 'xz has no pipes');
  await Promise.all([pipeline(input, xz.stdin), pipeline(xz.stdout, sink)]);
  const { exitCode } = await xz.ended;
  if (exitCode !== 0) throw new IngotError('verification', 'package-damaged', `xz could not decompress ${from}`);
}
