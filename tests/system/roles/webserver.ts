import type { RoleCase } from './case.ts';

const parameters = { tls: 'self-signed', php: true, names: 'shop.example.org' };

export const cases: readonly RoleCase[] = [
  { role: 'webserver' },
  { role: 'webserver', variant: 'nginx-tls-php', parameters },
  { role: 'webserver', variant: 'apache-tls-php', parameters: { ...parameters, server: 'apache' } },
  { role: 'webserver', variant: 'caddy-tls-php', parameters: { ...parameters, server: 'caddy' } },
];
