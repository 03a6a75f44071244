import { findRelease, shippedCatalog } from '../../src/catalog/catalog.ts';
import type { BuildAccount, Origin } from '../../src/integrations/packer/export/project.ts';
import { parseName } from '../../src/base/types.ts';
import type { ResolvedTemplate } from '../../src/template/template.ts';
import { SAMPLE_TEMPLATE } from './sample-template.ts';

/** The main distributions, each by one release, with the name that its medium has in the field; two of SUSE, whose installers differ. */
export const PACKER_RELEASES = [
  'debian-12',
  'ubuntu-24.04',
  'almalinux-9',
  'fedora-42',
  'opensuse-leap-15.6',
  'opensuse-leap-16.0',
  'sles-15.7',
  'arch',
  'alpine-3.22',
] as const;

export const PACKER_ACCOUNT: BuildAccount = {
  name: 'packer',
  privateKey: 'a private key\n',
  publicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJlK0aTCWVZfSmnCrWk6YVFwXlfHcZHx0xXlgK0q9m5N packer',
};

/** What a project is made of: a release, and a template that says something more. */
export async function packerOrigin(id: string, more: Partial<ResolvedTemplate> = {}): Promise<Origin> {
  const release = findRelease(await shippedCatalog(), id);
  const base = { kind: 'release', release: id } as const;
  return {
    template: { ...SAMPLE_TEMPLATE, name: parseName(id, 'an image'), base, ...more },
    release,
    architecture: 'amd64',
  };
}
