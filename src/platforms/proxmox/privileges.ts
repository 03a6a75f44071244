import type { PvePermissions } from './answers.ts';
import { grantLine } from './failures.ts';

/** A privilege that ingot needs, where, and what for. */
export interface Need {
  /** A place in the access tree; `/storage/{storage}` is that of each storage that is used. */
  readonly path: '/vms' | '/storage' | '/sdn/zones' | '/nodes';
  readonly privilege: string;
  /** What it is for, in a few words. */
  readonly use: string;
  /** Only something that one can do without needs it. */
  readonly optional?: boolean;
}

const COMMON: readonly Need[] = [
  { path: '/vms', privilege: 'VM.Allocate', use: 'make VMs, turn them into templates, delete them' },
  { path: '/vms', privilege: 'VM.Audit', use: 'read VMs and their lineage' },
  { path: '/vms', privilege: 'VM.Clone', use: 'clone templates' },
  { path: '/vms', privilege: 'VM.Config.CDROM', use: 'the cloud-init drive' },
  { path: '/vms', privilege: 'VM.Config.CPU', use: 'processors' },
  { path: '/vms', privilege: 'VM.Config.Cloudinit', use: 'user, keys and network of the guest' },
  { path: '/vms', privilege: 'VM.Config.Disk', use: 'disks' },
  { path: '/vms', privilege: 'VM.Config.HWType', use: 'firmware, machine, serial port' },
  { path: '/vms', privilege: 'VM.Config.Memory', use: 'memory' },
  { path: '/vms', privilege: 'VM.Config.Network', use: 'network cards' },
  { path: '/vms', privilege: 'VM.Config.Options', use: 'name, tags, notes, guest agent' },
  { path: '/vms', privilege: 'VM.PowerMgmt', use: 'start and stop the trial VM' },
  { path: '/vms', privilege: 'VM.Snapshot', use: 'snapshots', optional: true },
  { path: '/vms', privilege: 'VM.Snapshot.Rollback', use: 'going back to snapshots', optional: true },
  { path: '/vms', privilege: 'VM.Migrate', use: 'moving VMs between nodes', optional: true },
  { path: '/storage', privilege: 'Datastore.AllocateSpace', use: 'disks of VMs, reading what was uploaded' },
  { path: '/storage', privilege: 'Datastore.AllocateTemplate', use: 'uploads' },
  { path: '/storage', privilege: 'Datastore.Audit', use: 'content and free space of storages' },
  { path: '/sdn/zones', privilege: 'SDN.Use', use: 'bridges' },
];

/** The privileges that ingot needs on a major version: 9 has one of its own for the guest agent, 8 has VM.Monitor for it. */
export function neededPrivileges(major: number): readonly Need[] {
  return [...COMMON, { path: '/vms', privilege: major >= 9 ? 'VM.GuestAgent.Audit' : 'VM.Monitor', use: 'address of a guest, through its agent' }];
}

/** What a token lacks, of what `GET /access/permissions` says of it. Pure. */
export function lackingPrivileges(permissions: PvePermissions, major: number, storages: readonly string[]): Need[] {
  return neededPrivileges(major).filter(({ path, privilege }) => {
    // A right on each storage that is used is as good as one on all of them.
    const places = path === '/storage' && storages.length > 0 ? storages.map((storage) => `/storage/${storage}`) : [path];
    return !places.every((place) => hasPrivilege(permissions, place, privilege));
  });
}

/** Whether the privilege holds at a place: what is nearest above it decides, and holds below only where it is passed on. */
function hasPrivilege(permissions: PvePermissions, place: string, privilege: string): boolean {
  for (let path = place; ; path = path.slice(0, path.lastIndexOf('/')) || '/') {
    const found = permissions[path];
    if (found !== undefined) {
      const passedOn = found[privilege];
      if (passedOn === undefined) return false;
      return path === place || passedOn === 1 || passedOn === true || passedOn === '1';
    }
    if (path === '/') return false;
  }
}

/** The commands that give a token what it lacks, one line for each place. */
export function grantLines(lacks: readonly Need[], tokenId: string): string[] {
  const paths = [...new Set(lacks.map(({ path }) => path))];
  return paths.map((path) =>
    grantLine(
      path,
      lacks.flatMap((lack) => (lack.path === path ? [lack.privilege] : [])),
      tokenId,
    ),
  );
}

/** The name of the role that `token-script` makes. */
export const ROLE = 'Ingot';

/** Commands for the shell of a node, or the web interface's, that make a user, a role with the least privileges, and a token for ingot. Pure. */
export function tokenScript(major: number, tokenId: string): string {
  const user = tokenId.slice(0, tokenId.indexOf('!'));
  const token = tokenId.slice(tokenId.indexOf('!') + 1);
  const privileges = [...new Set(neededPrivileges(major).map(({ privilege }) => privilege))].toSorted();
  const paths = [...new Set(neededPrivileges(major).map(({ path }) => path))];
  return [
    '#!/bin/sh',
    `# Proxmox VE ${major}: what ingot may do, and nothing else. Run it as root in the shell of one node; for a cluster once.`,
    'set -eu',
    `privs="${privileges.join(' ')}"`,
    `pveum role modify ${ROLE} --privs "$privs" 2>/dev/null || pveum role add ${ROLE} --privs "$privs"`,
    ...(user.endsWith('@pam') ? [] : [`pveum user list --noborder --noheader | grep -qw '${user}' || pveum user add '${user}' --comment 'ingot'`]),
    '# The secret is printed once, in the row "value": `ingot target add` asks for it.',
    `pveum user token add '${user}' '${token}' --privsep 1 --comment 'ingot'`,
    '# A token can do what both its user and itself may.',
    ...paths.flatMap((path) => [
      ...(user === 'root@pam' ? [] : [`pveum acl modify ${path} --users '${user}' --roles ${ROLE}`]),
      `pveum acl modify ${path} --tokens '${tokenId}' --roles ${ROLE}`,
    ]),
  ].join('\n');
}
