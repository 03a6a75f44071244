import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/*
 * Writes ISO 9660 images for tests (ECMA-119; Rock Ridge: RRIP 1.12; Joliet): the names on them are as the medium of an installer has them. Times are all the same.
 */

const SECTOR = 2048;
const FIXED = 33;

export type IsoContent = string | Uint8Array | { readonly file: string };
export type IsoNames = 'rock-ridge' | 'joliet' | 'plain';

interface Node {
  readonly name: string;
  readonly children: Map<string, Node> | undefined;
  readonly content: IsoContent;
  sector: number;
  size: number;
}

/** Writes an image of files by path (`install.amd/vmlinuz`). A file of the host is copied as it is written. */
export async function writeIso(path: string, label: string, files: Readonly<Record<string, IsoContent>>, names: IsoNames = 'rock-ridge'): Promise<void> {
  const root = treeOf(files);
  const folders = foldersOf(root);
  const leaves = folders.flatMap((folder) => [...(folder.children?.values() ?? [])].filter(({ children }) => children === undefined));
  // Joliet has folders of its own beside the plain ones.
  const trees: readonly IsoNames[] = names === 'joliet' ? ['plain', 'joliet'] : [names];
  let next = 16 + trees.length + 1;
  const places = trees.map((naming) => new Map(folders.map((folder) => [folder, place(folder, naming)])));
  function place(folder: Node, naming: IsoNames): { sector: number; size: number } {
    const size = directoryBytes(folder, folder, naming, () => ({ sector: 0, size: 0 })).length;
    const sector = next;
    next += size / SECTOR;
    return { sector, size };
  }
  for (const leaf of leaves) {
    leaf.size = sizeOf(leaf.content);
    leaf.sector = next;
    next += Math.ceil(leaf.size / SECTOR);
  }
  const parentOf = new Map(folders.flatMap((folder) => [...(folder.children?.values() ?? [])].map((child) => [child, folder] as const)));
  const head = Buffer.alloc((leaves[0]?.sector ?? next) * SECTOR);
  trees.forEach((naming, i) => {
    const at = places[i] ?? new Map<Node, { sector: number; size: number }>();
    const where = (node: Node): { sector: number; size: number } => at.get(node) ?? node;
    head.set(descriptor(naming === 'joliet' ? 2 : 1, label, next, where(root), naming), (16 + i) * SECTOR);
    for (const folder of folders) head.set(directoryBytes(folder, parentOf.get(folder) ?? root, naming, where), where(folder).sector * SECTOR);
  });
  head.set([255, ...Buffer.from('CD001'), 1], (16 + trees.length) * SECTOR);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield head;
    for (const { content, size } of leaves) {
      if (typeof content === 'object' && 'file' in content) for await (const piece of createReadStream(content.file)) yield Buffer.from(piece);
      else yield Buffer.from(content);
      yield Buffer.alloc((SECTOR - (size % SECTOR)) % SECTOR);
    }
  }
  await pipeline(Readable.from(bytes(), { objectMode: false }), createWriteStream(path));
}

function treeOf(files: Readonly<Record<string, IsoContent>>): Node {
  const root: Node = { name: '', children: new Map(), content: '', sector: 0, size: 0 };
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/');
    let here = root;
    parts.forEach((name, i) => {
      const last = i === parts.length - 1;
      const child = here.children?.get(name) ?? {
        name,
        children: last ? undefined : new Map<string, Node>(),
        content: last ? content : '',
        sector: 0,
        size: 0,
      };
      here.children?.set(name, child);
      here = child;
    });
  }
  return root;
}

function foldersOf(folder: Node): Node[] {
  return [folder, ...[...(folder.children?.values() ?? [])].flatMap((child) => (child.children === undefined ? [] : foldersOf(child)))];
}

function sizeOf(content: IsoContent): number {
  return typeof content === 'object' && 'file' in content ? statSync(content.file).size : Buffer.byteLength(content);
}

type Where = (node: Node) => { readonly sector: number; readonly size: number };

function directoryBytes(folder: Node, parent: Node, naming: IsoNames, where: Where): Buffer {
  const children = [...(folder.children?.values() ?? [])];
  const self = record(
    Buffer.from([0]),
    where(folder),
    true,
    folder.name === '' && naming === 'rock-ridge' ? Buffer.from([0x53, 0x50, 7, 1, 0xbe, 0xef, 0]) : Buffer.alloc(0),
  );
  const records = [
    self,
    record(Buffer.from([1]), where(parent), true, Buffer.alloc(0)),
    ...children.map((child, i) => childRecord(child, i, naming, where(child))),
  ];
  const sectors: Buffer[] = [];
  let sector = Buffer.alloc(0);
  for (const each of records) {
    if (sector.length + each.length > SECTOR) {
      sectors.push(filled(sector));
      sector = Buffer.alloc(0);
    }
    sector = Buffer.concat([sector, each]);
  }
  return Buffer.concat([...sectors, filled(sector)]);
}

const filled = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(SECTOR - bytes.length)]);

function childRecord({ name, children }: Node, i: number, naming: IsoNames, at: { readonly sector: number; readonly size: number }): Buffer {
  const folder = children !== undefined;
  if (naming === 'joliet') return record(Buffer.from(folder ? name : `${name};1`, 'utf16le').swap16(), at, folder, Buffer.alloc(0));
  if (naming === 'plain') return record(Buffer.from(folder ? name.toUpperCase() : `${name.toUpperCase()};1`, 'latin1'), at, folder, Buffer.alloc(0));
  // Long names are parted, as programs do that write them.
  const parts = name.match(/.{1,100}/gsu) ?? [name];
  const fields = parts.map((part, k) => {
    const text = Buffer.from(part);
    return Buffer.concat([Buffer.from([0x4e, 0x4d, 5 + text.length, 1, k < parts.length - 1 ? 1 : 0]), text]);
  });
  return record(Buffer.from(`F${i}${folder ? '' : '.;1'}`, 'latin1'), at, folder, Buffer.concat(fields));
}

function record(name: Buffer, { sector, size }: { readonly sector: number; readonly size: number }, folder: boolean, system: Buffer): Buffer {
  const start = FIXED + name.length + ((name.length + 1) % 2);
  const bytes = Buffer.alloc(start + system.length + ((start + system.length) % 2));
  bytes.writeUInt8(bytes.length, 0);
  both32(bytes, sector, 2);
  both32(bytes, size, 10);
  bytes.set([126, 1, 1, 0, 0, 0, 0], 18);
  bytes.writeUInt8(folder ? 2 : 0, 25);
  both16(bytes, 1, 28);
  bytes.writeUInt8(name.length, 32);
  bytes.set(name, FIXED);
  bytes.set(system, start);
  return bytes;
}

function descriptor(type: number, label: string, sectors: number, root: { readonly sector: number; readonly size: number }, naming: IsoNames): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.set([type, ...Buffer.from('CD001'), 1]);
  bytes.write(label.padEnd(32), 40, 32, 'latin1');
  both32(bytes, sectors, 80);
  if (naming === 'joliet') bytes.write('%/E', 88, 'latin1');
  both16(bytes, 1, 120);
  both16(bytes, 1, 124);
  both16(bytes, SECTOR, 128);
  bytes.set(record(Buffer.from([0]), root, true, Buffer.alloc(0)), 156);
  bytes.writeUInt8(1, 881);
  return bytes;
}

function both32(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value, at);
  bytes.writeUInt32BE(value, at + 4);
}

function both16(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt16LE(value, at);
  bytes.writeUInt16BE(value, at + 2);
}
