import * as z from 'zod';
import { writeOutFile } from '../base/out-file.ts';
import { hostPath } from '../base/types.ts';
import { findPublication } from '../publish/journal.ts';
import { REPORT_FORMATS, renderReport, reportFormatOf } from '../publish/report.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';
import { publicationInput } from './publication-output.ts';

export default defineOperation({
  name: 'publication report',
  summary: 'Write what the trial of a publication found, as HTML, JUnit or JSON',
  kind: 'query',
  input: z.strictObject({
    publication: publicationInput,
    out: clientFile.describe('The file to write').meta({ clientFile: true }),
    format: z.enum(REPORT_FORMATS).optional().describe('For people, for CI, or for programs; default: what the name of the file says (.html, .xml, .json)'),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({ file: z.string(), publication: z.string() }),
  examples: [
    { command: 'ingot publication report web --out web.html', does: 'a page for people' },
    { command: 'ingot publication report proxmox:home/web --out report.xml', does: 'for a CI server' },
  ],
  async run(input, { host, home }) {
    const format = input.format ?? reportFormatOf(input.out);
    const publication = await findPublication({ host, home }, input.publication);
    const target = hostPath(input.out);
    await writeOutFile(host, home, target, { force: input.force, what: `writing ${target}` }, (part) =>
      host.files.write(part, renderReport(publication, format)),
    );
    return { file: target, publication: publication.id };
  },
  render: ({ file, publication }) => `${file}: the report of ${publication}`,
});
