import { formatSize } from '../base/types.ts';
import type { DiffOutput } from './image-diff.ts';
import { shortDigest } from './image-text.ts';
import type { RenderOptions } from './operation.ts';
import { renderTable, styled, type Cell, type CellStyle } from './table.ts';

/** Lines of a list that people see; --json has all. */
const SHOWN = { layers: 40, config: 40, packages: 40, files: 60, folders: 15 } as const;

/** How two images differ, as text for people. */
export function renderDifference(output: DiffOutput, options: RenderOptions): string {
  const { before, after, layers, config, packages, files, folders } = output;
  const head = [['-', 'red', before] as const, ['+', 'green', after] as const].map(
    ([sign, style, { references, digest }]) => `${styled(sign, style, options)} ${references.join(', ') || '(no tag)'}  ${styled(digest, 'dim', options)}`,
  );
  if (before.digest === after.digest) return [...head, '', 'They are the same image.'].join('\n');
  const sections = [
    section(
      'Layers',
      countsOf(
        layers.map((layer) => layer.in),
        { both: 'shared', before: 'only before', after: 'only after' },
      ),
      layers.map(layerRow),
      SHOWN.layers,
      options,
    ),
    section(
      'Config',
      `${config.length} differ`,
      config.map((one) => valueRow(one.path, one)),
      SHOWN.config,
      options,
    ),
    section(
      'Packages',
      countsOf(packages.map(changeOf), CHANGES),
      packages.map((one) => valueRow(one.name, one)),
      SHOWN.packages,
      options,
    ),
    ...(files === undefined
      ? []
      : [
          section(
            'Files',
            countsOf(
              files.map(({ change }) => change),
              CHANGES,
            ),
            fileRows(files),
            SHOWN.files,
            options,
          ),
        ]),
  ];
  return [head.join('\n'), ...sections, ...(folders === undefined || folders.length === 0 ? [] : [folderTable(folders, options)])].join('\n\n');
}

const CHANGES = { added: 'added', removed: 'removed', changed: 'changed' } as const;

function changeOf({ before, after }: { readonly before?: string | undefined; readonly after?: string | undefined }): keyof typeof CHANGES {
  return before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
}

function countsOf(kinds: readonly string[], words: Readonly<Record<string, string>>): string {
  const counts = Object.entries(words).map(([kind, word]) => [kinds.filter((one) => one === kind).length, word] as const);
  return counts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(', ');
}

/** A sign, and the cells that follow it. */
type Row = readonly [sign: '+' | '-' | '~' | '=', ...cells: Cell[]];

const SIGN_STYLES: Readonly<Record<Row[0], CellStyle>> = { '+': 'green', '-': 'red', '~': 'yellow', '=': 'dim' };

function section(title: string, counts: string, rows: readonly Row[], shown: number, options: RenderOptions): string {
  if (rows.length === 0) return `${styled(title, 'bold', options)}  no difference`;
  const cells = rows.slice(0, shown).map(([sign, ...rest]): Cell[] => [{ text: sign, style: SIGN_STYLES[sign] }, ...rest]);
  const width = Math.max(...cells.map((row) => row.length));
  const lines = renderTable(
    Array.from({ length: width }, () => ({ title: '' })),
    cells,
    options,
  );
  const more = rows.length > shown ? [styled(`… and ${rows.length - shown} more; --json has all`, 'dim', options)] : [];
  return [`${styled(title, 'bold', options)}  ${counts}`, lines.replace(/^\n/, ''), ...more].join('\n');
}

function layerRow(layer: DiffOutput['layers'][number]): Row {
  const sign = layer.in === 'both' ? '=' : layer.in === 'before' ? '-' : '+';
  return [
    sign,
    layer.name,
    layer.kind ?? '',
    { text: shortDigest(layer.key), style: 'dim' },
    formatSize(layer.size),
    layer.madeAnew ? 'made anew, other bytes' : '',
  ];
}

function valueRow(name: string, { before, after }: { readonly before?: string | undefined; readonly after?: string | undefined }): Row {
  if (before === undefined) return ['+', name, after ?? ''];
  return after === undefined ? ['-', name, before] : ['~', name, `${before} -> ${after}`];
}

/** A row for each file; a folder that only one image has stands for all in it. */
function fileRows(files: NonNullable<DiffOutput['files']>): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < files.length; i++) {
    const file = files[i];
    if (file === undefined) break;
    const { path, change } = file;
    if (change === 'changed' || (file.after ?? file.before)?.type !== 'd') {
      rows.push(fileRow(file));
      continue;
    }
    const [first, from] = [i, `${path}/`];
    let bytes = 0;
    for (let next = files[i + 1]; next !== undefined && next.path.startsWith(from); next = files[i + 1]) {
      const inside = next.after ?? next.before;
      if (inside?.type === 'f') bytes += inside.size;
      i += 1;
    }
    rows.push([change === 'added' ? '+' : '-', from, `${i - first} inside, ${formatSize(bytes)}`]);
  }
  return rows;
}

function fileRow({ path, change, aspects, before, after }: NonNullable<DiffOutput['files']>[number]): Row {
  if (change === 'added') return ['+', path, describe(after)];
  if (change === 'removed') return ['-', path, describe(before)];
  const details = aspects.map((aspect) => {
    if (aspect === 'content') return before?.size === after?.size ? 'content' : `${formatSize(before?.size ?? 0)} -> ${formatSize(after?.size ?? 0)}`;
    const [old, young] = [before?.[aspect] ?? '', after?.[aspect] ?? ''];
    return aspect === 'type' ? `${TYPES[old] ?? old} -> ${TYPES[young] ?? young}` : `${aspect} ${old} -> ${young}`;
  });
  return ['~', path, details.join(', ')];
}

/** Types of files as find(1) names them. */
const TYPES: Readonly<Record<string, string>> = { f: 'file', d: 'folder', l: 'link', b: 'block device', c: 'character device', p: 'pipe', s: 'socket' };

function describe(file: NonNullable<DiffOutput['files']>[number]['before']): string {
  if (file === undefined) return '';
  if (file.type === 'f') return formatSize(file.size);
  return file.type === 'l' ? `-> ${file.target ?? ''}` : (TYPES[file.type] ?? file.type);
}

function folderTable(folders: NonNullable<DiffOutput['folders']>, options: RenderOptions): string {
  const columns = [{ title: 'FOLDER' }, { title: 'BEFORE', right: true }, { title: 'AFTER', right: true }, { title: 'CHANGE', right: true }];
  const rows = folders.slice(0, SHOWN.folders).map(({ folder, before, after }): Cell[] => {
    const sign = after > before ? '+' : '-';
    return [
      folder,
      formatSize(before),
      formatSize(after),
      { text: `${sign}${formatSize(Math.abs(after - before))}`, style: after > before ? 'yellow' : 'green' },
    ];
  });
  const [before, after] = [folders.reduce((sum, one) => sum + one.before, 0), folders.reduce((sum, one) => sum + one.after, 0)];
  const more = folders.length > SHOWN.folders ? [`… and ${folders.length - SHOWN.folders} more folders; --json has all`] : [];
  const sum = `All files: ${after >= before ? '+' : '-'}${formatSize(Math.abs(after - before))}`;
  return [renderTable(columns, rows, options), ...more, sum].join('\n');
}
