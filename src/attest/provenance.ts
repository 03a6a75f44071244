import { hexOf } from '../base/types.ts';
import type { Image, LayerRecord } from '../store/model.ts';

/** SLSA's provenance, as the predicate of an in-toto statement. */
export const PROVENANCE_PREDICATE = 'https://slsa.dev/provenance/v1';
const BUILD_TYPE = 'https://ingot.dev/build/v1';
const BUILDER = 'https://ingot.dev/builder/v1';

/** What the layer cache knows of an image's layers, by their keys; what it has lost is left out. */
export type KnownLayers = ReadonlyMap<string, Pick<LayerRecord, 'inputs' | 'created' | 'digest'>>;

/**
 * How an image was made (SLSA provenance v1). Pure. The digest of the template is the key of its last layer: that is the hash of all that the resolved
 * template says, layer by layer, with the versions and hashes of the packages and the digests of the files that it brings in. The inputs of each
 * layer are the parts of its key.
 */
export function provenanceOf(image: Pick<Image, 'config' | 'layers' | 'created'>, records: KnownLayers): Record<string, unknown> {
  const { config } = image;
  const details = config['dev.ingot.image'];
  const top = details.layers.at(-1)?.key;
  const inputs = details.layers.flatMap(({ name, key }, i) => {
    const record = records.get(key);
    if (record === undefined || record.digest !== image.layers[i]?.digest) return [];
    return Object.entries(record.inputs).flatMap(([part, hash]) =>
      /^[0-9a-f]{64}$/.test(hash) ? [{ name: `${name}/${part}`, uri: `ingot:layer/${hexOf(key)}/${encodeURIComponent(part)}`, digest: { sha256: hash } }] : [],
    );
  });
  const from =
    details.from === undefined
      ? []
      : [{ name: details.from.reference, uri: `ingot:image/${details.from.digest}`, digest: { sha256: hexOf(details.from.digest) } }];
  const began = details.layers.flatMap(({ key }) => records.get(key)?.created ?? []).toSorted()[0];
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: {
        template: { name: details.template, ...(top === undefined ? {} : { digest: { sha256: hexOf(top) } }) },
        release: details.release,
        architecture: config.architecture,
      },
      internalParameters: {
        kernel: details.kernel,
        disk: details.disk,
        repositories: details.repositories,
        ...(details.source === undefined ? {} : { vm: details.source }),
        layers: details.layers.map(({ name, kind, key }, i) => ({
          name,
          ...(kind === undefined ? {} : { kind }),
          key: hexOf(key),
          digest: { sha256: hexOf(image.layers[i]?.digest ?? key) },
        })),
      },
      resolvedDependencies: [...from, ...inputs],
    },
    runDetails: {
      builder: { id: BUILDER },
      metadata: { ...(began === undefined ? {} : { startedOn: began }), finishedOn: image.created },
    },
  };
}
