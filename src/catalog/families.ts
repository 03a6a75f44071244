/** What package manager, services, boot loader and cleaning look like, in the order in which tables show them. */
export const FAMILIES = ['debian', 'rhel', 'suse', 'arch', 'alpine'] as const;
export type FamilyName = (typeof FAMILIES)[number];
