/* The reference of lab files and their JSON Schema, made from src/lab/schema.ts. */
import * as z from 'zod';
import { labSchema } from '../src/lab/schema.ts';
import { schemaBlocks } from './template-reference.ts';

const LAB = z.toJSONSchema(labSchema, { io: 'input', target: 'draft-2020-12' });

/** An example that holds most keys; a test reads it. */
export const LAB_EXAMPLE = `lab: shop
network: 10.77.0.0/24
vms:
  db:
    image: debian-12
    memory: 2GiB
    disk: 40GiB
    user-data: db.cloud.yaml
    scripts: [setup-db.sh]
    ready: { port: 5432 }
    timeout: 10m
  web:
    image: debian-12
    count: 2
    cpus: 1
    memory: 512MiB
    after: db
    forwards: ['80']
    files:
      - { copy: site, to: /srv/site, owner: www-data:www-data }
    scripts:
      - run: getent hosts db
        when: always
    ready: { command: [test, -e, /srv/site] }
`;

/** docs/reference/lab.schema.json: what editors check and complete with. */
export function labJsonSchema(): string {
  const { $schema, ...rest } = LAB;
  return `${JSON.stringify({ $schema, title: 'Lab of ingot', description: 'Which VMs belong together', ...rest }, undefined, 2)}\n`;
}

/** docs/reference/lab.md: every key with type, default and meaning. */
export function labPage(note: string): string {
  const blocks = [
    note,
    '# Lab files',
    'A lab file says which VMs belong together, in which order they start, and what each is given. `ingot lab up lab.yaml` makes them; run again, it applies what changed. [A lab in five minutes](../lab-in-five-minutes.md) goes through one. The schema for editors is [lab.schema.json](lab.schema.json).',
    `\`\`\`yaml\n${LAB_EXAMPLE.trimEnd()}\n\`\`\``,
    "A VM `db` of the lab `shop` is called `shop-db` among all VMs, and `db` and `db.shop` on the lab's network; with a count, `web-1` and so on. Paths are relative to the folder of the lab file, and lead out of it nowhere.",
    ...schemaBlocks('Lab', LAB),
  ];
  return `${blocks.join('\n\n')}\n`;
}
