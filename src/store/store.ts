import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import { list } from './list.ts';
import type { Image } from './model.ts';
import type { Store } from './types.ts';

export type {
  BackupResult,
  ImageUse,
  LoadOptions,
  LoadResult,
  NewLayer,
  Progress,
  PruneOptions,
  PruneReport,
  RemoveResult,
  RestoredImage,
  RestoreOptions,
  RestoreResult,
  SaveOptions,
  SaveResult,
  Store,
  StoreProblem,
  TagConflict,
  VerifyOptions,
  VerifyReport,
} from './types.ts';

/**
 * Opens the image store of a home. Cheap: it touches nothing, and each part of the store is loaded when it is first used, since a
 * listing must not wait for the code that writes.
 */
export function openStore(host: Host, home: Home): Store {
  const layers = () => import('./layers.ts');
  const images = () => import('./images.ts');
  return {
    findLayer: async (key) => (await layers()).findLayer(host, home, key),
    commitLayer: async (file, layer, onProgress) => (await layers()).commitLayer(host, home, file, layer, onProgress),
    putImage: async (config, chain, name, tags) => (await images()).putImage(host, home, config, chain, name, tags),
    resolve: async (reference) => (await images()).resolve(host, home, reference),
    list: (options) => list(host, home, options),
    chains: async () => (await import('./chains.ts')).readChains(host, home),
    tree: async () => (await import('./tree.ts')).readTree(host, home),
    history: async (reference) => (await import('./history.ts')).readHistory(host, home, reference),
    tag: async (reference, newReference) => (await images()).tag(host, home, reference, newReference),
    remove: async (reference, inUse) => (await import('./remove.ts')).remove(host, home, reference, inUse),
    addGate: async (image, content) => (await import('./statements.ts')).addStatements(host, home, image, [{ kind: 'gate', content }]),
    addStatements: async (image, statements) => (await import('./statements.ts')).addStatements(host, home, image, statements),
    statements: async (image) => (await import('./statements.ts')).readStatements(host, home, image.digest),
    save: async (references, target, options) => (await import('./save.ts')).saveImages(host, home, references, target, options),
    load: async (archive, options) => (await import('./load.ts')).loadImages(host, home, archive, options),
    backup: async (target, options) => (await import('./backup.ts')).backupRegistry(host, home, target, options),
    restore: async (backup, options) => (await import('./restore.ts')).restoreRegistry(host, home, backup, options),
    verify: async (references, onProgress, options) => (await import('./verify.ts')).verify(host, home, references, onProgress, options),
    prune: async (inUse, options) => (await import('./prune.ts')).prune(host, home, inUse, options),
  };
}

/** The files of an image's chain, bottom first, for an explicit block device graph. */
export function layerPaths(home: Home, image: Pick<Image, 'layers'>): HostPath[] {
  return image.layers.map((layer) => hostPath(home.blob(layer.digest)));
}
