import * as z from 'zod';
import { shippedCatalog } from '../catalog/catalog.ts';
import { findRepository, type CatalogRepository, type RepositoryWay } from '../catalog/repositories.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { renderTable, styled } from './table.ts';

const way = z.strictObject({
  /** For which releases of the family; empty for all. */
  when: z.record(z.string(), z.array(z.string())),
  uri: z.string().optional(),
  suites: z.array(z.string()).optional(),
  components: z.array(z.string()).optional(),
  key: z.string().optional(),
  fingerprints: z.array(z.string()).optional(),
  package: z.string().optional(),
  enable: z.string().optional(),
  component: z.string().optional(),
  included: z.boolean().optional(),
});

const entry = z.strictObject({
  name: z.string(),
  summary: z.string(),
  parameters: z.record(z.string(), z.strictObject({ description: z.string(), default: z.string() })),
  families: z.record(z.string(), z.array(way)),
  note: z.string().nullable(),
  source: z.string(),
});

export default defineOperation({
  name: 'catalog repositories',
  summary: 'List the package repositories that the catalog knows besides those of the distributions',
  description:
    'Packages and roles bring the repositories that they need. Every key that is fetched must have one of the fingerprints. With a NAME: where it is for each family.',
  kind: 'query',
  input: z.strictObject({ name: z.string().optional().describe('Only this repository, with all of it').meta({ positional: true }) }),
  output: z.strictObject({
    repositories: z.array(entry),
  }),
  examples: [
    { command: 'ingot catalog repositories', does: 'every repository, and the families that it is for' },
    { command: 'ingot catalog repositories docker', does: 'where it is, and the fingerprints of its keys' },
  ],
  async run({ name }) {
    const catalog = await shippedCatalog();
    const found = name === undefined ? catalog.repositories : [findRepository(catalog, name)];
    return { repositories: found.map(shown) };
  },
  render({ repositories }, options) {
    const [only] = repositories;
    if (repositories.length === 1 && only !== undefined) return detail(only, options);
    return renderTable(
      [{ title: 'NAME' }, { title: 'FAMILIES' }, { title: 'WHAT IT HAS', shrink: 'wrap' }],
      repositories.map(({ name, families, summary }) => [name, Object.keys(families).join(', '), summary]),
      options,
    );
  },
});

function shown({ repository, note, families, ...rest }: CatalogRepository): z.output<typeof entry> {
  return {
    ...rest,
    name: repository,
    note: note ?? null,
    families: Object.fromEntries(Object.entries(families).map(([family, ways]) => [family, ways.map(plainWay)])),
  };
}

function plainWay({ when, ...rest }: RepositoryWay): z.output<typeof way> {
  return { when: Object.fromEntries(Object.entries(when).flatMap(([name, values]) => (values === undefined ? [] : [[name, values]]))), ...rest };
}

function detail({ name, summary, parameters, families, note, source }: z.output<typeof entry>, options: RenderOptions): string {
  const line = (title: string, value: string): string => `${styled(title.padEnd(14), 'dim', options)}${value}`;
  const blocks = Object.entries(families).flatMap(([family, ways]) =>
    ways.map((one) =>
      [
        styled([family, ...Object.entries(one.when).map(([what, values]) => `${what} ${values.join(', ')}`)].join(', '), 'bold', options),
        ...wayLines(one).map(([title, value]) => line(`  ${title}`, value)),
      ].join('\n'),
    ),
  );
  const head = [
    line('Repository', name),
    line('What it has', summary),
    ...Object.entries(parameters).map(([key, { description, default: value }]) => line('Parameter', `${key}: ${description}; default ${value}`)),
    ...(note === null ? [] : [line('Note', note)]),
    line('Seen in', source),
  ];
  return [head.join('\n'), ...blocks].join('\n\n');
}

function wayLines(one: z.output<typeof way>): [string, string][] {
  if (one.package !== undefined) return [['Package', one.package]];
  if (one.enable !== undefined) return [['Switched on', one.enable]];
  if (one.component !== undefined) return [['Component', one.component]];
  if (one.included === true) return [['Is there', "among the distribution's own"]];
  return [
    ['Address', one.uri ?? ''],
    ...((one.suites ?? []).length === 0 ? [] : [['Suites', (one.suites ?? []).join(' ')] satisfies [string, string]]),
    ...((one.components ?? []).length === 0 ? [] : [['Components', (one.components ?? []).join(' ')] satisfies [string, string]]),
    ['Key', one.key ?? ''],
    ...(one.fingerprints ?? []).map((fingerprint, i): [string, string] => [i === 0 ? 'Fingerprint' : '', fingerprint]),
  ];
}
