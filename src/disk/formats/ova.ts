import { createHash } from 'node:crypto';
import type { Host } from '../../base/host.ts';
import { TAR_END, tarHeader, tarPadding } from '../../store/tar.ts';
import { Appender } from './appender.ts';
import { ovfDescriptor, type OvfMachine } from './ovf.ts';
import type { DiskSource } from './source.ts';
import { writeVmdkStream, type VmdkOptions } from './vmdk-stream.ts';

export interface OvaOptions extends Omit<VmdkOptions, 'name' | 'adapter'> {
  readonly machine: Omit<OvfMachine, 'disk'>;
}

/** Where the disk is in a package, in bytes. */
export interface OvaDisk {
  readonly position: number;
  readonly size: number;
}

/**
 * Writes a package to an empty file: descriptor, manifest, disk, in the order that OVF wants. The disk goes straight into it, without a copy of its own; the
 * descriptor and the manifest, which need its size and hash, have their places kept for them and are written last.
 */
export async function writeOva(host: Pick<Host, 'files'>, disk: DiskSource, part: string, options: OvaOptions): Promise<OvaDisk> {
  const { machine } = options;
  const names = { ovf: `${machine.name}.ovf`, manifest: `${machine.name}.mf`, disk: `${machine.name}-disk1.vmdk` };
  const populated = disk.data.reduce((sum, { length }) => sum + length, 0);
  const descriptor = (fileSize: number): string => ovfDescriptor({ ...machine, disk: { file: names.disk, fileSize, capacity: disk.size, populated } });
  const ovfSize = Buffer.byteLength(descriptor(Number.MAX_SAFE_INTEGER));
  const manifestSize = manifestText(names, '0'.repeat(64), '0'.repeat(64)).length;
  const head = entrySize(ovfSize) + entrySize(manifestSize) + HEADER;
  const hash = createHash('sha256');
  await host.files.write(part, Buffer.alloc(head));
  const out = new Appender(host.files, part, { position: head, onWrite: (bytes) => void hash.update(bytes) });
  const size = await writeVmdkStream(disk, out, { ...options, name: names.disk, adapter: machine.controller === 'ide' ? 'ide' : 'lsilogic' });
  await out.flush();
  await host.files.append(part, Buffer.concat([tarPadding(size), TAR_END]));
  // Blanks after the last element make the descriptor as long as its place.
  const ovf = Buffer.from(descriptor(size).padEnd(descriptor(size).length + ovfSize - Buffer.byteLength(descriptor(size)), '\n'));
  const manifest = Buffer.from(manifestText(names, createHash('sha256').update(ovf).digest('hex'), hash.digest('hex')));
  const entry = (name: string, data: Buffer): Uint8Array[] => [tarHeader(name, data.length), data, tarPadding(data.length)];
  await host.files.writePart(part, 0, Buffer.concat([...entry(names.ovf, ovf), ...entry(names.manifest, manifest), tarHeader(names.disk, size)]));
  return { position: head, size };
}

const HEADER = 512;

function entrySize(size: number): number {
  return HEADER + size + tarPadding(size).length;
}

function manifestText(names: { readonly ovf: string; readonly disk: string }, ovf: string, disk: string): string {
  return `SHA256(${names.ovf})= ${ovf}\nSHA256(${names.disk})= ${disk}\n`;
}
