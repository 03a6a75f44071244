import { args, block, Code, Interpolated, type HclValue } from '../../hcl/document.ts';
import { firmwareOf } from '../install.ts';
import { sourceName } from '../project.ts';
import { ssh } from '../ssh.ts';
import { variable } from '../variable.ts';
import type { PackerBuilder } from './builder.ts';

/** Where a guest reads what it is to be, without a second disk: cloud-init's NoCloud, by the machine's serial number. */
const SEED = 'type=1,serial=ds=nocloud-net;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/';

export const qemu: PackerBuilder = {
  use: 'a qcow2 file, made on this host',
  installs: true,
  shutdownCommand: true,
  plugin: { name: 'qemu', source: 'github.com/hashicorp/qemu', version: '>= 1.0.9' },

  variables: (input) => [
    variable('accelerator', {
      type: 'string',
      value: 'kvm',
      description: 'What runs the machine: kvm; hvf on a Mac; tcg where there is neither, which is slow.',
      values: ['kvm', 'hvf', 'whpx', 'xen', 'tcg', 'none'],
    }),
    variable('cpu_model', {
      type: 'string',
      value: 'max',
      description: "The processor that the machine sees; max is the host's, or all that emulation can do.",
    }),
    variable('headless', { type: 'bool', value: true, description: 'Show no window.' }),
    variable('output_directory', {
      type: 'string',
      value: `output-${input.template.name}`,
      description: 'Folder that the disk is written to; it must not be there.',
    }),
    ...(firmwareOf(input) === 'uefi'
      ? [variable('uefi_firmware', { type: 'string', value: '/usr/share/ovmf/OVMF.fd', description: 'UEFI firmware in one file, as the package ovmf has it.' })]
      : []),
  ],

  source(input) {
    const { image, installation, architecture, template } = input;
    const further: HclValue[] = [
      ['-cpu', new Code('var.cpu_model')],
      ...(firmwareOf(input) === 'uefi' ? [['-bios', new Code('var.uefi_firmware')]] : []),
      ...(image === undefined ? [] : [['-smbios', SEED]]),
    ];
    return block(
      'source',
      ['qemu', sourceName(template.name)],
      [
        ...args({
          iso_url: new Code('var.iso_url'),
          iso_checksum: new Code('var.iso_checksum'),
          disk_image: image === undefined ? undefined : true,
          qemu_binary: architecture === 'arm64' ? 'qemu-system-aarch64' : undefined,
          machine_type: architecture === 'arm64' ? 'virt' : 'q35',
          accelerator: new Code('var.accelerator'),
          cpus: new Code('var.cpus'),
          memory: new Code('var.memory'),
          headless: new Code('var.headless'),
          disk_size: new Interpolated(new Code('var.disk_size'), 'M'),
          disk_interface: 'virtio',
          disk_discard: 'unmap',
          disk_detect_zeroes: 'unmap',
          net_device: 'virtio-net',
          format: 'qcow2',
          vm_name: `${template.name}.qcow2`,
          output_directory: new Code('var.output_directory'),
          http_directory: new Interpolated(new Code('path.root'), '/http'),
          qemuargs: further,
          boot_wait: new Code('var.boot_wait'),
          boot_command: installation?.bootCommand,
        }),
        ...ssh(),
        ...args({ shutdown_command: new Code('local.shut_down'), shutdown_timeout: '10m' }),
      ],
    );
  },
};
