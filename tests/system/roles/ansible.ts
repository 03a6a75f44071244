import type { RoleCase } from './case.ts';

export const cases: readonly RoleCase[] = [{ role: 'ansible' }, { role: 'ansible', variant: 'full', parameters: { flavour: 'full' }, releases: ['debian-13'] }];
