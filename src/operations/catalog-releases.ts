import * as z from 'zod';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'catalog releases',
  summary: 'List the releases of distributions that images can start from',
  kind: 'query',
  input: z.strictObject({}),
  output: z.strictObject({
    releases: z.array(
      z.strictObject({
        id: z.string(),
        name: z.string(),
        distribution: z.string(),
        family: z.string(),
        version: z.string(),
        codename: z.string(),
        architectures: z.array(z.string()),
        /** Last day of security support; null where none is set. */
        eol: z.string().nullable(),
        /** Whether that day is over. */
        ended: z.boolean(),
      }),
    ),
  }),
  examples: [{ command: 'ingot catalog releases', does: 'every release, and until when it gets security updates' }],
  async run(_input, { host }) {
    const today = host.clock.now().toISOString().slice(0, 10);
    return {
      releases: releases(await loadCatalog()).map(({ id, name, distribution, family, version, codename, architectures, eol }) => ({
        id,
        name,
        distribution,
        family,
        version,
        codename,
        architectures: [...architectures],
        eol: eol ?? null,
        ended: eol !== undefined && eol < today,
      })),
    };
  },
  render({ releases: all }, options) {
    return renderTable(
      [{ title: 'NAME' }, { title: 'FAMILY' }, { title: 'CODENAME' }, { title: 'ARCHITECTURES' }, { title: 'SUPPORTED UNTIL' }],
      all.map(({ id, family, codename, architectures, eol, ended }) => [
        id,
        family,
        codename,
        architectures.join(', '),
        ended ? { text: `${eol ?? ''} (over)`, style: 'yellow' } : (eol ?? ''),
      ]),
      options,
    );
  },
});
