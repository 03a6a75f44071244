/** A kernel module as its file describes itself. */
export interface KernelModule {
  readonly path: string;
  readonly depends: readonly string[];
}

/**
 * The modules that a module's file says it needs: the field `depends` of its section .modinfo, which holds `name=value` strings that
 * end with a zero byte (Linux: include/linux/moduleparam.h, scripts/mod/modpost.c). depmod's index is not there in a package.
 */
export function modinfoDepends(content: Uint8Array): string[] {
  const mark = '\0depends=';
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const at = bytes.indexOf(mark, 0, 'latin1');
  if (at === -1) return [];
  const start = at + mark.length;
  return bytes
    .toString('latin1', start, bytes.indexOf(0, start))
    .split(',')
    .filter((name) => name !== '');
}

/** A module's name from its file's: `-` and `_` are the same to the kernel. */
export function moduleName(path: string): string {
  return (path.split('/').at(-1) ?? '').replace(/\.ko$/, '').replaceAll('-', '_');
}

/**
 * Paths of modules in an order in which each comes after what it depends on. Names that are no module of this kernel are left out:
 * they are built into it, or another architecture's.
 */
export async function loadOrder(names: readonly string[], find: (name: string) => Promise<KernelModule | undefined>): Promise<string[]> {
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = async (name: string): Promise<void> => {
    const key = moduleName(name);
    if (seen.has(key)) return;
    seen.add(key);
    const module = await find(key);
    if (module === undefined) return;
    for (const dependency of module.depends) await visit(dependency);
    order.push(module.path);
  };
  for (const name of names) await visit(name);
  return order;
}
