import * as z from 'zod';
import { packagesOfImage } from '../attest/installed.ts';
import { makeSbom, SBOM_FORMATS } from '../attest/sbom.ts';
import { nameOfImage } from '../attest/sign-image.ts';
import { openStore } from '../store/store.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image sbom',
  summary: "Print an image's bill of materials: every package with its version",
  description:
    'CycloneDX 1.6 or SPDX 2.3, as JSON. Of an image whose layers do not tell all its packages (a step ran a program, or the family resolves them while it builds), the disk is opened once; what was read there stays beside the image. The same image gives the same document. `image sign` keeps it, signed, beside the image.',
  kind: 'job',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
    format: z.enum(SBOM_FORMATS).default('cyclonedx').describe('Format of the document'),
  }),
  output: z.record(z.string(), z.unknown()),
  examples: [
    { command: 'ingot image sbom web >web.cdx.json', does: 'as CycloneDX' },
    { command: 'ingot image sbom web --format spdx >web.spdx.json', does: 'as SPDX' },
  ],
  async run(input, context) {
    const image = await openStore(context.host, context.home).resolve(input.image);
    return makeSbom(input.format, image, nameOfImage(image), await packagesOfImage(context, image));
  },
  render: (document) => JSON.stringify(document, undefined, 2),
});
