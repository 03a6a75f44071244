import { createHash } from 'node:crypto';
import { hexOf } from '../base/types.ts';
import type { Image, InstalledPackage } from '../store/model.ts';
import { distributionOf, packageUrl } from './package-url.ts';

/** The formats of a bill of materials. */
export const SBOM_FORMATS = ['cyclonedx', 'spdx'] as const;
export type SbomFormat = (typeof SBOM_FORMATS)[number];

/** What a bill of materials is called as the predicate of an in-toto statement. */
export const SBOM_PREDICATES: Readonly<Record<SbomFormat, string>> = { cyclonedx: 'https://cyclonedx.org/bom', spdx: 'https://spdx.dev/Document' };

/** What a bill of materials needs of an image. */
export type SbomImage = Pick<Image, 'digest' | 'config' | 'created'>;

/**
 * The bill of materials of an image, as a JSON document of the format: CycloneDX 1.6 or SPDX 2.3. Pure: the same image and packages give the same
 * document, since time and identifiers are the image's.
 */
export function makeSbom(format: SbomFormat, image: SbomImage, name: string, packages: readonly InstalledPackage[]): Record<string, unknown> {
  return format === 'cyclonedx' ? cyclonedx(image, name, packages) : spdx(image, name, packages);
}

/** Bills of materials have times to the second. */
function timeOf(image: SbomImage): string {
  const time = Date.parse(image.created);
  return `${new Date(Number.isNaN(time) ? 0 : time).toISOString().slice(0, 19)}Z`;
}

function cyclonedx(image: SbomImage, name: string, packages: readonly InstalledPackage[]): Record<string, unknown> {
  const details = image.config['dev.ingot.image'];
  const self = `image:${image.digest}`;
  const refs = packages.map((one) => packageUrl(one, details));
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(image.digest)}`,
    version: 1,
    metadata: {
      timestamp: timeOf(image),
      tools: { components: [{ type: 'application', name: 'ingot' }] },
      component: {
        type: 'operating-system',
        'bom-ref': self,
        name,
        version: hexOf(image.digest).slice(0, 12),
        hashes: [{ alg: 'SHA-256', content: hexOf(image.digest) }],
        properties: [
          { name: 'dev.ingot.release', value: details.release },
          { name: 'dev.ingot.architecture', value: image.config.architecture },
        ],
      },
    },
    components: packages.map(({ name: packageName, version }, i) => ({ type: 'library', 'bom-ref': refs[i], name: packageName, version, purl: refs[i] })),
    dependencies: [{ ref: self, dependsOn: refs }],
  };
}

function spdx(image: SbomImage, name: string, packages: readonly InstalledPackage[]): Record<string, unknown> {
  const details = image.config['dev.ingot.image'];
  const self = 'SPDXRef-Image';
  const idOf = (one: InstalledPackage): string => `SPDXRef-Package-${hashOf(packageUrl(one, details)).slice(0, 20)}`;
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}-${hexOf(image.digest).slice(0, 12)}`,
    documentNamespace: `https://ingot.dev/spdx/${uuidOf(image.digest)}`,
    creationInfo: { created: timeOf(image), creators: ['Tool: ingot'] },
    documentDescribes: [self],
    packages: [
      {
        SPDXID: self,
        name,
        versionInfo: hexOf(image.digest).slice(0, 12),
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        checksums: [{ algorithm: 'SHA256', checksumValue: hexOf(image.digest) }],
        primaryPackagePurpose: 'OPERATING-SYSTEM',
      },
      ...packages.map((one) => ({
        SPDXID: idOf(one),
        name: one.name,
        versionInfo: one.version,
        supplier: `Organization: ${distributionOf(details.release)}`,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: 'NOASSERTION',
        licenseDeclared: 'NOASSERTION',
        copyrightText: 'NOASSERTION',
        externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: packageUrl(one, details) }],
      })),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: self },
      ...packages.map((one) => ({ spdxElementId: self, relationshipType: 'CONTAINS', relatedSpdxElement: idOf(one) })),
    ],
  };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A UUID that follows from the text (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const hex = hashOf(text);
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}
