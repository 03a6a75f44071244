import * as z from 'zod';
import { filesystemSchema } from '../disk/layout.ts';

/** The flags that say what an image is to be: shared by build, plan and explain. */
export const requestInput = {
  template: z.string().min(1).describe('A release of the catalog, such as debian-12').meta({ positional: true, complete: 'release' }),
  arch: z.enum(['amd64', 'arm64']).optional().describe("Processor architecture; default: the host's. Another one is built and booted by emulation"),
  kernel: z.enum(['cloud', 'generic']).default('cloud').describe('cloud: small, for virtual machines; generic: every driver, for VMware, Xen and bare devices'),
  size: z.string().optional().describe("Size of the image's disk; default 4GiB. A VM's root grows to the VM's disk").meta({ placeholder: 'SIZE' }),
  filesystem: filesystemSchema.default('ext4').describe('Root file system'),
  name: z.string().optional().describe("The image's name; default: the release, plus what differs from the defaults"),
  mirror: z
    .string()
    .optional()
    .describe("Package mirror to download from; default: the setting, the host's own, else the public one")
    .meta({ placeholder: 'URL' }),
  securityMirror: z.string().optional().describe('Mirror of the security archive').meta({ placeholder: 'URL' }),
  offline: z.boolean().default(false).describe('No network at all: the repositories as they were last seen'),
  allowExpiredMetadata: z.boolean().default(false).describe('Accept repository metadata past its Valid-Until date; the image records it'),
};
