import type { RoleCase } from './case.ts';

export const cases: readonly RoleCase[] = [{ role: 'vmware', template: { kernel: 'generic' } }];
