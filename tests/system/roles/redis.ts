import type { RoleCase } from './case.ts';

export const cases: readonly RoleCase[] = [
  { role: 'redis' },
  {
    role: 'redis',
    variant: 'cache-without-password',
    parameters: { password: 'none', listen: '*', maxmemory: '64mb', 'maxmemory-policy': 'allkeys-lru', persistence: 'none' },
    template: {
      tests: [
        { name: 'settings are read', command: 'redis-cli CONFIG GET maxmemory', contains: '67108864' },
        {
          name: 'nobody outside is answered without a password',
          command: `redis-cli -h "$(hostname -I | cut -d ' ' -f 1)" PING`,
          contains: 'DENIED',
        },
      ],
    },
  },
  { role: 'redis', variant: 'valkey', parameters: { server: 'valkey' }, releases: ['debian-13'] },
];
