import type { Digest, Key, Name } from '../../base/types.ts';
import { installedPackages } from '../../plan/plan.ts';
import { VM_LAYER, type Image, type ImageConfig, type InstalledPackage } from '../../store/model.ts';
import type { DiskContents } from '../disk-contents.ts';

/** What a VM's disk has become since it was its image's. */
export interface PackageChanges {
  readonly packages: readonly InstalledPackage[];
  readonly removed: readonly string[];
}

/** The packages of an image that its layers tell of, by name. */
function packagesOf({ config }: Pick<Image, 'config'>): Map<string, InstalledPackage> {
  return installedPackages(config['dev.ingot.image'].layers.map(({ removed = [], ...layer }) => ({ ...layer, removed })));
}

/** The packages that a VM has more, others, or no more than its image. */
export function packageChanges(image: Pick<Image, 'config'>, now: readonly InstalledPackage[]): PackageChanges {
  const before = packagesOf(image);
  const names = new Set(now.map(({ name }) => name));
  return {
    packages: now.filter(({ name, version, arch }) => before.get(name)?.version !== version || before.get(name)?.arch !== arch),
    removed: [...before.keys()].filter((name) => !names.has(name)).toSorted(),
  };
}

/** An image that is a VM's disk, besides its layer. */
export interface Origin {
  readonly name: Name;
  readonly image: Image;
  /** The image as the VM's user called it. */
  readonly reference: string;
  readonly source: NonNullable<ImageConfig['dev.ingot.image']['source']>;
  /** Bytes of the disk. */
  readonly size: number;
  /** What the disk says of itself; undefined where its family's packages cannot be read. */
  readonly contents: DiskContents | undefined;
}

/** The config of the image: that of the image below, and what the VM made of it. */
export function vmImageConfig(origin: Origin, layer: { readonly name: string; readonly key: Key; readonly digest: Digest } & PackageChanges): ImageConfig {
  const { name, image, reference, source, size, contents } = origin;
  const { 'dev.ingot.image': details, config: _labels, ...rest } = image.config;
  const { release } = contents ?? {};
  return {
    ...rest,
    ...(release === undefined ? {} : { 'os.version': release.version }),
    rootfs: { type: 'layers', diff_ids: [...image.layers.map(({ digest }) => digest), layer.digest] },
    'dev.ingot.image': {
      ...details,
      template: name,
      ...(release === undefined ? {} : { release: release.id }),
      disk: { ...details.disk, size },
      from: { reference, digest: image.digest },
      source,
      repositories: [...details.repositories, ...newRepositories(image, contents)],
      layers: [
        ...details.layers,
        {
          name: layer.name,
          kind: VM_LAYER,
          key: layer.key,
          packages: [...layer.packages],
          ...(layer.removed.length === 0 ? {} : { removed: [...layer.removed] }),
        },
      ],
    },
  };
}

/** Addresses of package sources that a VM has, and its image had not. */
export function newRepositories({ config }: Pick<Image, 'config'>, contents: Pick<DiskContents, 'repositories'> | undefined): string[] {
  const known = new Set(config['dev.ingot.image'].repositories.map((line) => addressOf(line)));
  return (contents?.repositories ?? []).filter((address) => !known.has(addressOf(address)));
}

function addressOf(line: string): string {
  return (line.split(' ')[0] ?? '').replace(/\/$/, '');
}
