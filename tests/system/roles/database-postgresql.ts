import type { RoleCase } from './case.ts';

const databases = {
  parameters: { databases: ['shop', 'crm:sales'], listen: '*', networks: ['10.0.0.0/8'] },
  template: {
    tests: [
      {
        name: 'an owner logs in over TCP with the password that the machine made',
        command: `PGPASSWORD=$(cat /root/postgresql/sales) psql -h 127.0.0.1 -U sales crm -Atc "CREATE TABLE t (n int); INSERT INTO t VALUES (6 * 7); SELECT current_user || n FROM t"`,
        contains: 'sales42',
      },
      { name: 'and not without', command: 'psql -w -h 127.0.0.1 -U sales crm -Atc "SELECT 1"', 'exit-code': 2 },
      { file: '/root/postgresql/shop', mode: '0600', owner: 'root:root' },
      { name: 'the network may log in', command: `grep -c '^host all all 10.0.0.0/8 scram-sha-256' /etc/postgresql/*/main/pg_hba.conf`, contains: '1' },
    ],
  },
};

export const cases: readonly RoleCase[] = [
  { role: 'database-postgresql' },
  { role: 'database-postgresql', variant: 'databases', ...databases },
  {
    role: 'database-postgresql',
    variant: 'upstream',
    parameters: { source: 'upstream' },
    // The package of the project's repository stands in by its name alone: the server that it brings is the distribution's.
    standIn: {
      repositories: [
        {
          name: 'pgdg',
          packages: [{ name: 'postgresql-18', version: '18.0-1', depends: ['postgresql'], files: { '/usr/share/doc/postgresql-18/stand-in': 'stand-in\n' } }],
        },
      ],
    },
  },
];
