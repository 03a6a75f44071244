/*
 * How the files of two disks differ, from listings of both; pure.
 */

/** What can be told of a file without reading it. */
export interface FileEntry {
  /** `f` file, `d` folder, `l` link, and `b`, `c`, `p`, `s` as find(1) names them. */
  readonly type: string;
  /** Octal digits. */
  readonly mode: string;
  /** User and group as numbers: `0:0`. */
  readonly owner: string;
  readonly size: number;
  readonly inode: number;
  /** Seconds with all digits that the file system has: of the content, and of the file itself, which no program can set. */
  readonly modified: string;
  readonly changed: string;
  /** Of a link. */
  readonly target: string;
}

/** Path below the root, without a slash in front -> file. */
export type FileList = ReadonlyMap<string, FileEntry>;

export const ASPECTS = ['type', 'content', 'target', 'mode', 'owner'] as const;
export type Aspect = (typeof ASPECTS)[number];

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What changed of a file that both have. */
  readonly aspects: readonly Aspect[];
  readonly before?: FileEntry;
  readonly after?: FileEntry;
}

export interface FolderSize {
  readonly folder: string;
  /** Bytes of the files beneath it, each hard-linked one once. */
  readonly before: number;
  readonly after: number;
}

/** The fields of a record, as find(1) prints them; each ends with NUL, so that any name can be told. */
export const LISTING_FORMAT = '%y\\0%m\\0%U:%G\\0%s\\0%i\\0%T@\\0%C@\\0%l\\0%P\\0\\n';
const FIELDS = 9;

/** Reads a listing that was printed with {@link LISTING_FORMAT}. */
export function parseListing(text: string): Map<string, FileEntry> {
  const files = new Map<string, FileEntry>();
  const fields = text.split('\0');
  for (let at = 0; at + FIELDS <= fields.length; at += FIELDS) {
    const [type = '', mode = '', owner = '', size = '', inode = '', modified = '', changed = '', target = '', path = ''] = fields.slice(at, at + FIELDS);
    // The root itself has no path, and what follows the last record is a line's end.
    if (path !== '') files.set(path, { type: type.trimStart(), mode, owner, size: Number(size), inode: Number(inode), modified, changed, target });
  }
  return files;
}

/**
 * The files of which only their content can tell whether they differ: plain ones of the same size. With a layer in common, a file that has kept
 * inode, size and both times was not touched since: the time of the file itself cannot be set. Without one, equal times prove nothing: a build
 * can give them to whatever it writes.
 */
export function unsureFiles(before: FileList, after: FileList, haveCommonLayer: boolean): string[] {
  const unsure: string[] = [];
  for (const [path, old] of before) {
    const young = after.get(path);
    if (young === undefined || old.type !== 'f' || young.type !== 'f' || old.size !== young.size || old.size === 0) continue;
    const untouched = old.inode === young.inode && old.changed === young.changed && old.modified === young.modified;
    if (!(haveCommonLayer && untouched)) unsure.push(path);
  }
  return unsure;
}

/** What differs; sorted as a tree. `sameContent` answers for the unsure files alone. Times are no difference. */
export function compareFiles(before: FileList, after: FileList, sameContent: (path: string) => boolean, unsure: ReadonlySet<string>): FileChange[] {
  const changes: FileChange[] = [];
  for (const [path, old] of before) {
    const young = after.get(path);
    if (young === undefined) {
      changes.push({ path, change: 'removed', aspects: [], before: old });
      continue;
    }
    const aspects = aspectsOf(old, young, () => unsure.has(path) && !sameContent(path));
    if (aspects.length > 0) changes.push({ path, change: 'changed', aspects, before: old, after: young });
  }
  for (const [path, young] of after) if (!before.has(path)) changes.push({ path, change: 'added', aspects: [], after: young });
  // What is in a folder follows it at once: `a`, `a/b`, `a-b`.
  const keys = new Map(changes.map((change) => [change, change.path.replaceAll('/', '\0')]));
  return changes.toSorted((a, b) => ((keys.get(a) ?? '') < (keys.get(b) ?? '') ? -1 : 1));
}

function aspectsOf(old: FileEntry, young: FileEntry, hasOtherContent: () => boolean): Aspect[] {
  if (old.type !== young.type) return ['type'];
  const differs: Record<Aspect, boolean> = {
    type: false,
    content: old.type === 'f' && (old.size !== young.size || hasOtherContent()),
    target: old.target !== young.target,
    // A link's own mode means nothing.
    mode: old.type !== 'l' && old.mode !== young.mode,
    owner: old.owner !== young.owner,
  };
  return ASPECTS.filter((aspect) => differs[aspect]);
}

/** Bytes by folder, `depth` folders deep; the largest differences first, folders without one left out. */
export function compareFolders(before: FileList, after: FileList, depth: number): FolderSize[] {
  const [old, young] = [folderSizes(before, depth), folderSizes(after, depth)];
  return [...new Set([...old.keys(), ...young.keys()])]
    .map((folder) => ({ folder, before: old.get(folder) ?? 0, after: young.get(folder) ?? 0 }))
    .filter((one) => one.before !== one.after)
    .toSorted((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before) || (a.folder < b.folder ? -1 : 1));
}

function folderSizes(files: FileList, depth: number): Map<string, number> {
  const sizes = new Map<string, number>();
  const seen = new Set<number>();
  // In order, so that a file with several names counts at the same one in both listings.
  for (const path of [...files.keys()].toSorted()) {
    const { type, size, inode } = files.get(path) ?? { type: '', size: 0, inode: 0 };
    if (type !== 'f' || seen.has(inode)) continue;
    seen.add(inode);
    const folder = `/${path.split('/').slice(0, -1).slice(0, depth).join('/')}`;
    sizes.set(folder, (sizes.get(folder) ?? 0) + size);
  }
  return sizes;
}
