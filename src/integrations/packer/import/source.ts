import type { Release } from '../../../catalog/schema.ts';
import type { Part } from './packer-template.ts';
import { releaseOfName } from './find-release.ts';
import type { ImportScope } from './scope.ts';

/** What a source says of an image. */
export interface ImportedSource {
  readonly from?: string | Readonly<Record<string, string>>;
  readonly size?: string;
  readonly name?: string;
}

export const SOURCE_TYPES = ['qemu', 'proxmox-iso', 'proxmox-clone', 'cloudstack'] as const;
export type SourceType = (typeof SOURCE_TYPES)[number];

/** How a machine is reached, driven and turned off: ingot needs none of it. */
const NOT_NEEDED =
  /^(type|name|communicator|ssh_.*|winrm_.*|boot_wait|boot_key.*|boot_keygroup_interval|headless|accelerator|qemu_binary|machine_type|display|vnc_.*|shutdown_.*|output_directory|vm_name|vm_id|format|net_device|disk_interface|disk_cache|disk_discard|disk_detect_zeroes|disk_compression|disk_image|skip_.*|use_.*|iso_target_.*|iso_checksum.*|iso_urls?|iso_file|iso_storage_pool|unmount_iso|http_(interface|bind_address|port_.*|network_protocol)|host_port_.*|proxmox_url|username|password|token|node|pool|insecure_.*|template_.*|os|scsi_controller|cpu_type|cpu_model|sockets|qemu_agent|cloud_init.*|full_clone|clone_vm.*|task_timeout|api_.*|secret_key|zone|network|service_offering|disk_offering|source_template|source_iso|hypervisor|expunge|temporary_.*|prevent_.*|eject_iso|firmware|efi_.*|disk_size|disks|network_adapters|memory|cpus|cores|boot_command|http_directory|http_content|headers)$/;

/** Reads a source of one of {@link SOURCE_TYPES}; what it lacks a counterpart for is noted. */
export function readSource(scope: ImportScope, part: Part, type: SourceType, known: readonly Release[]): ImportedSource {
  const from = fromOf(scope, part, type, known);
  const size = sizeOf(scope, part, type);
  for (const name of ['memory', 'cpus', 'cores']) {
    const value = part.body.arguments.has(name) ? scope.text(part, name) : undefined;
    if (value !== undefined)
      scope.note(
        part.file,
        scope.place(part, name),
        `${name} = ${value} is said when a machine is made: ingot vm create ${name === 'memory' ? `--memory ${value}MiB` : `--cpus ${value}`}`,
      );
  }
  if (part.body.arguments.has('boot_command') && from !== undefined) {
    scope.note(
      part.file,
      scope.place(part, 'boot_command'),
      'boot_command and what it makes the installer fetch: partitions, users and packages of the answer file have to be said in the template',
    );
  }
  if (part.body.arguments.has('user_data_file') || part.body.arguments.has('user_data')) {
    scope.note(
      part.file,
      scope.place(part, part.body.arguments.has('user_data') ? 'user_data' : 'user_data_file'),
      "the machine's user data: it is said when a machine is made (ingot vm create --user-data)",
    );
  }
  const named = scope.text(part, 'vm_name') ?? scope.text(part, 'template_name');
  const rest = [...part.body.arguments.keys()].filter((name) => NOT_NEEDED.test(name));
  scope.rest(part, [...rest, 'disks', 'network_adapters', 'user_data', 'user_data_file']);
  return { ...(from === undefined ? {} : { from }), ...(size === undefined ? {} : { size }), name: named ?? part.name };
}

function fromOf(scope: ImportScope, part: Part, type: SourceType, known: readonly Release[]): ImportedSource['from'] {
  const key = startOf(part, type);
  const text = key === undefined ? undefined : key === 'iso_urls' ? scope.texts(part, key)[0] : scope.text(part, key);
  if (key === undefined || text === undefined) {
    if (key === undefined) scope.note(part.file, part.place, `${part.type}.${part.name} does not say what it starts from`);
    return undefined;
  }
  const release = releaseOfName(text, known);
  const isDisk = type === 'qemu' && scope.value(part, 'disk_image') === true;
  if (!isDisk) {
    if (release === undefined) scope.note(part.file, scope.place(part, key), `${text} is of no release that the catalog knows by that name`);
    return release?.id;
  }
  const checksum = scope.text(part, 'iso_checksum') ?? '';
  const sha256 = /^(?:sha256:)?([0-9a-f]{64})$/i.exec(checksum)?.[1]?.toLowerCase();
  const isOwn = Object.values(release?.images ?? {}).some(({ url }) => url === text);
  if (release !== undefined && isOwn) return { release: release.id, source: 'cloud-image' };
  if (!/^https?:/.test(text)) {
    const file = text.replace(/^file:\/\//, '');
    return release === undefined ? { file } : { release: release.id, file };
  }
  if (sha256 !== undefined) return release === undefined ? { url: text, sha256 } : { release: release.id, url: text, sha256 };
  scope.note(
    part.file,
    scope.place(part, 'iso_checksum'),
    `the checksum of ${text} is not written there as sha256${release === undefined ? '' : `; the cloud image that the catalog knows of ${release.id} is taken`}`,
  );
  return release === undefined ? undefined : { release: release.id, source: 'cloud-image' };
}

/** The argument that says what a source starts from. */
function startOf({ body }: Part, type: SourceType): string | undefined {
  const keys: Readonly<Record<SourceType, readonly string[]>> = {
    qemu: ['iso_url', 'iso_urls'],
    'proxmox-iso': ['iso_url', 'iso_urls', 'iso_file'],
    'proxmox-clone': ['clone_vm'],
    cloudstack: ['source_template', 'source_iso'],
  };
  return keys[type].find((key) => body.arguments.has(key));
}

const UNITS: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** The disk's size; a number without a unit has the builder's own. */
function sizeOf(scope: ImportScope, part: Part, type: SourceType): string | undefined {
  const disk = part.body.blocks.find((block) => block.type === 'disks');
  const holder = disk === undefined ? part : { ...part, body: disk.body };
  const text = scope.text(holder, 'disk_size');
  if (text === undefined) return undefined;
  const [, number = '', unit = ''] = /^(\d+)\s*([kmgt]?)i?b?$/i.exec(text) ?? [];
  if (number === '') {
    scope.note(part.file, scope.place(part, 'disk_size'), `disk_size = ${text} is no size`);
    return undefined;
  }
  const bytes = Number(number) * (UNITS[unit.toLowerCase()] ?? (type === 'cloudstack' ? 2 ** 30 : 2 ** 20));
  if (!Number.isSafeInteger(bytes)) return undefined;
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}GiB` : `${Math.ceil(bytes / 2 ** 20)}MiB`;
}
