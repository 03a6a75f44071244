import * as z from 'zod';
import { digestSchema } from '../../store/model.ts';
import { architectureSchema, firmwareSchema } from './guest-spec.ts';

/** Names a disk or RAM file; older VMs call their only disk `disk`. */
export const fileIdSchema = z.string().regex(/^[a-z0-9]{4,16}$/);

/** Version of vm.json; newer ones are refused, older ones migrated when they are read. */
export const VM_VERSION = 2;

/** Name of the disk that stands on the image. */
export const ROOT_DISK = 'root';

/** A disk of a VM: the file that it writes to, on frozen ones that nobody writes to any more. */
export const vmDiskSchema = z.object({
  /** `root` stands on the image; the others on nothing. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,14}$/),
  /** Bytes. */
  size: z.int().positive(),
  /** Files in frozen/, bottom first. */
  frozen: z.array(fileIdSchema),
  /** The file in the VM's folder, without its ending. */
  active: fileIdSchema,
  /** The hot-plug slot that it sits in: never the root disk, always one that was added. */
  slot: z.int().nonnegative().optional(),
});
export type VmDisk = z.output<typeof vmDiskSchema>;

/** The state of a running machine without its disks, in frozen/. */
export const ramFileSchema = z.object({
  file: fileIdSchema,
  /** Which QEMU and machine can restore it: see ramStateKey. */
  key: z.string(),
  bytes: z.int(),
});
export type RamFile = z.output<typeof ramFileSchema>;

/** A moment of a VM that it can go back to. */
export const vmSnapshotSchema = z.object({
  name: z.string(),
  created: z.iso.datetime(),
  description: z.string().optional(),
  /** The snapshot that the VM stood on when this one was made. */
  parent: z.string().optional(),
  disks: z.array(vmDiskSchema.omit({ active: true })).min(1),
  /** The machine as it was, since a RAM state fits no other. */
  cpus: z.int().positive(),
  memory: z.int().positive(),
  ram: ramFileSchema.optional(),
  /** The UEFI variables as they were, in frozen/. */
  efiVariables: fileIdSchema.optional(),
});
export type VmSnapshot = z.output<typeof vmSnapshotSchema>;

/** A port of the host that leads to one of the guest's. */
export const forwardSchema = z.object({
  protocol: z.enum(['tcp', 'udp']),
  /** Address of the host; 127.0.0.1 unless others may come in. */
  address: z.ipv4(),
  host: z.int().min(1).max(65_535),
  guest: z.int().min(1).max(65_535),
  /** ingot chose the port of the host: where it is taken, the VM starts with another. */
  chosen: z.literal(true).optional(),
});
export type Forward = z.output<typeof forwardSchema>;

/** How a guest sees a folder of the host. */
export const shareKindSchema = z.enum(['virtiofs', '9p']);
export type ShareKind = z.output<typeof shareKindSchema>;

/** A folder of the host that is mounted in the guest. */
export const shareSchema = z.object({
  /** What the guest's kernel calls it. */
  tag: z.string().regex(/^share\d+$/),
  kind: shareKindSchema,
  /** Folder of the host. */
  host: z.string(),
  /** Where the guest mounts it. */
  guest: z.string(),
  readOnly: z.boolean(),
});
export type Share = z.output<typeof shareSchema>;
/** What a lab's file said of a VM when it was made, and a change of which makes another VM. */
export const labSourceSchema = z.object({
  image: z.string().optional(),
  roles: z.array(z.string()).readonly(),
  release: z.string().optional(),
  firmware: firmwareSchema.optional(),
  /** A hash. */
  userData: z.string().optional(),
  /** Folders of the host, and where they are. */
  shares: z.array(z.string()).readonly().optional(),
});
export type LabSource = z.output<typeof labSourceSchema>;

/** What a VM has as a member of a lab. */
export const labMembershipSchema = z.object({
  name: z.string(),
  /** Its name in the lab, which is its hostname. */
  member: z.string(),
  /** Its card on the lab's network. */
  network: z.object({ mac: z.string(), address: z.ipv4(), prefix: z.int(), group: z.ipv4(), port: z.int() }),
  source: labSourceSchema,
  /** The names that it was told last: a hash. */
  hosts: z.string(),
  /** The forwards that the file asked for, as it writes them; others are the user's. */
  forwards: z.array(z.string()).readonly().optional(),
  /** The files that it was given, by their path in it: hashes. */
  files: z.record(z.string(), z.string()),
  /** The scripts that it ran: hashes. */
  scripts: z.array(z.string()),
  /** The process of its QEMU that it was ready with. */
  ready: z.int().optional(),
});
export type LabMembership = z.output<typeof labMembershipSchema>;

/** What ingot knows of a VM: vm.json in its folder. Whether it runs is never stored, it is looked at. */
export const vmRecordSchema = z.object({
  v: z.literal(VM_VERSION),
  name: z.string(),
  /** UUID: of the machine, for SMBIOS, and of the instance, for cloud-init. */
  id: z.uuid(),
  image: z.object({
    /** As the user wrote it. */
    reference: z.string(),
    /** The manifest. */
    digest: digestSchema,
    /** The blobs of its layers, bottom first. */
    layers: z.array(digestSchema).min(1),
  }),
  arch: architectureSchema,
  firmware: firmwareSchema,
  cpus: z.int().positive(),
  /** Bytes. */
  memory: z.int().positive(),
  /** The first is the one that it boots from. */
  disks: z.array(vmDiskSchema).min(1),
  mac: z.string(),
  ssh: z.object({
    user: z.string(),
    port: z.int().positive(),
    /** Where the guest's sshd listens; default 22. */
    guestPort: z.int().positive().optional(),
    /** The user chose the port: where it is taken, the VM does not start with another. */
    fixed: z.boolean(),
  }),
  forwards: z.array(forwardSchema),
  /** Folders of the host: while it has any, its memory cannot be saved. */
  shares: z.array(shareSchema).min(1).optional(),
  /** It has a TPM, whose state lies in the VM's folder; its memory cannot be saved without that. */
  tpm: z.literal(true).optional(),
  /** Its default user may log in with a password; only the seed has the hash. */
  passwordLogin: z.literal(true).optional(),
  snapshots: z.array(vmSnapshotSchema),
  /** The snapshot that its disks stand on: the one made or restored last. */
  standsOn: z.string().optional(),
  /** It was suspended: its next start goes on from here. */
  suspended: ramFileSchema.optional(),
  /** It is not deleted while this is set. */
  protected: z.boolean(),
  /** It is started with the host. */
  autostart: z.boolean(),
  /** It goes on from a machine that was saved, and has not got an identity of its own yet: see settleIdentity. */
  pendingIdentity: z.literal(true).optional(),
  /** Its disks were frozen while it ran, and the running QEMU may not have followed yet: see settleDisks. */
  unsettled: z.literal(true).optional(),
  /** A command holds the running machine still for a moment: its filesystems through the guest agent, or its processors. See settleStill. */
  still: z.enum(['files', 'processors']).optional(),
  /** What it was called before, where renaming it was not finished: see settleName. Never stored; the folder's name counts. */
  renamedFrom: z.string().optional(),
  /** It was made by a lab's file. */
  lab: labMembershipSchema.optional(),
  created: z.iso.datetime(),
});
export type VmRecord = z.output<typeof vmRecordSchema>;
