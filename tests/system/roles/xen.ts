import type { RoleCase } from './case.ts';

export const cases: readonly RoleCase[] = [{ role: 'xen', template: { kernel: 'generic' } }];
