import type { RoleCase } from './case.ts';

export const cases: readonly RoleCase[] = [
  { role: 'database-mariadb' },
  {
    role: 'database-mariadb',
    variant: 'databases',
    parameters: { databases: ['shop', 'crm:sales'], listen: '*', hosts: ['localhost', '10.%'] },
    template: {
      tests: [
        {
          name: 'a user logs in over TCP with the password that the machine made',
          command: `MYSQL_PWD=$(cat /root/mariadb/sales) mariadb -h 127.0.0.1 -u sales crm --batch -e "CREATE TABLE t (n INT); INSERT INTO t VALUES (6 * 7); SELECT CONCAT('answer ', n) FROM t"`,
          contains: 'answer 42',
        },
        { name: 'and not without', command: 'mariadb -h 127.0.0.1 -u sales crm -e "SELECT 1"', 'exit-code': 1, contains: 'Access denied' },
        { name: 'nor elsewhere', command: 'MYSQL_PWD=$(cat /root/mariadb/sales) mariadb -h 127.0.0.1 -u sales shop -e "SELECT 1"', 'exit-code': 1 },
        { file: '/root/mariadb/shop', mode: '0600', owner: 'root:root' },
      ],
    },
  },
];
