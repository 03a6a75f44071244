import type { Release } from '../../catalog/schema.ts';
import type { DiskLayout } from '../../disk/layout.ts';
import { NOTHING } from '../changes.ts';
import type { BaseOptions, TreeBoot } from '../family.ts';
import { configurationFiles } from './files.ts';
import { firstBootCommands } from './first-boot.ts';
import { basePackages } from './packages.ts';
import { bootRecipe, COMMANDS } from './recipe.ts';

/** A machine of a root file system of Debian: the packages and the configuration of a base image, on what is there. */
export function fromTree(release: Release, options: BaseOptions, disk: DiskLayout): TreeBoot {
  const { kernelArguments: _, ...loader } = bootRecipe(options.arch, disk);
  return {
    changes: {
      ...NOTHING,
      packages: basePackages(release, options),
      files: configurationFiles(release, disk),
      commands: [...COMMANDS, ...firstBootCommands(disk)],
    },
    loader,
  };
}
