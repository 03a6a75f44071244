import type { Image } from '../../store/model.ts';

/** Names of architectures as Incus and LXD have them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

/** What a unified image of Incus and LXD says of itself (their documentation, "Image format"). JSON is YAML, and needs no rules for quoting. */
export function metadataYaml(image: Image): string {
  const { config, created } = image;
  const { template, release } = config['dev.ingot.image'];
  const [os = release, version = ''] = release.split(/-(.*)/s);
  const metadata = {
    architecture: ARCHITECTURES[config.architecture] ?? config.architecture,
    creation_date: Math.floor(Date.parse(created) / 1000),
    properties: {
      architecture: config.architecture,
      description: `${template} (${release}), made by ingot`,
      name: template,
      os,
      release: version,
      variant: 'default',
      digest: image.digest,
    },
  };
  return `${JSON.stringify(metadata, undefined, 2)}\n`;
}
