import { nearest } from '../base/errors.ts';
import type { Path, Scope } from './scope.ts';

const KINDS = ['ethernets', 'vlans', 'bridges', 'bonds'] as const;

/** Checks what no schema can: that interfaces which others stand on are there, each name once. A VM with such a mistake would have no network. */
export function checkNetwork(scope: Scope): void {
  const { network } = scope.loaded.template;
  if (network === undefined) return;
  const names = new Map<string, string>();
  for (const kind of KINDS) {
    for (const name of Object.keys(network[kind] ?? {})) {
      const other = names.get(name);
      if (other !== undefined) scope.problem(['network', kind, name], `is in ${other} too`);
      names.set(name, kind);
    }
  }
  const known = (path: Path, name: string, own: string): void => {
    if (name === own) return scope.problem(path, 'stands on itself');
    if (names.has(name)) return;
    const near = nearest(name, names.keys());
    scope.problem(path, `there is no interface ${name}`, near.length > 0 ? `Did you mean ${near.join(' or ')}?` : undefined);
  };
  for (const [name, { link }] of Object.entries(network.vlans ?? {})) known(['network', 'vlans', name, 'link'], link, name);
  for (const kind of ['bridges', 'bonds'] as const) {
    for (const [name, { interfaces }] of Object.entries(network[kind] ?? {})) {
      for (const [i, part] of interfaces.entries()) known(['network', kind, name, 'interfaces', i], part, name);
    }
  }
}
