import { cloudstack } from './cloudstack.ts';
import { proxmoxClone } from './proxmox-clone.ts';
import { proxmoxIso } from './proxmox-iso.ts';
import { qemu } from './qemu.ts';
import type { PackerBuilder } from './builder.ts';

export const BUILDER_NAMES = ['qemu', 'proxmox-iso', 'proxmox-clone', 'cloudstack'] as const;
export type BuilderName = (typeof BUILDER_NAMES)[number];

/** Every builder that a project can have, by Packer's name for it. */
export const BUILDERS: Readonly<Record<BuilderName, PackerBuilder>> = {
  qemu,
  'proxmox-iso': proxmoxIso,
  'proxmox-clone': proxmoxClone,
  cloudstack,
};
