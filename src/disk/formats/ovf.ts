/*
 * The descriptor of an OVA (DMTF DSP0243 and DSP8023, OVF 1.x). The elements of an item are in the order of the alphabet, as the schema has them.
 */

/** What a machine made from the package gets. */
export interface OvfMachine {
  readonly name: string;
  readonly description: string;
  /** Name of the disk's file in the package, its bytes, and those that a guest sees and that are used. */
  readonly disk: { readonly file: string; readonly fileSize: number; readonly capacity: number; readonly populated: number };
  readonly cpus: number;
  /** MiB */
  readonly memory: number;
  readonly controller: Controller;
  readonly network: 'vmxnet3' | 'e1000' | 'e1000e';
  readonly firmware: 'bios' | 'uefi';
  readonly system: OvfSystem;
}

export type Controller = 'pvscsi' | 'lsilogic' | 'sata' | 'ide';

/** What runs in it: number and words of CIM_OperatingSystem.OSType, and VMware's own name. */
export interface OvfSystem {
  readonly id: number;
  readonly vmware: string;
  readonly words: string;
}

const SYSTEMS: readonly { readonly release: RegExp; readonly system: OvfSystem }[] = [
  { release: /^debian-/, system: { id: 96, vmware: 'debian10_64Guest', words: 'Debian GNU/Linux (64-bit)' } },
  { release: /^ubuntu-/, system: { id: 94, vmware: 'ubuntu64Guest', words: 'Ubuntu Linux (64-bit)' } },
  { release: /^(rhel|rocky|alma|almalinux|centos|oracle)/, system: { id: 80, vmware: 'rhel7_64Guest', words: 'Red Hat Enterprise Linux (64-bit)' } },
  { release: /^(opensuse|sles)/, system: { id: 85, vmware: 'sles12_64Guest', words: 'SUSE Linux Enterprise (64-bit)' } },
];
const OTHER: OvfSystem = { id: 101, vmware: 'otherLinux64Guest', words: 'Linux (64-bit)' };

/** The system that a release of the catalog is for OVF; names that hosts of the last ten years know. */
export function ovfSystem(release: string): OvfSystem {
  return SYSTEMS.find((one) => one.release.test(release))?.system ?? OTHER;
}

/** ResourceType of CIM_ResourceAllocationSettingData, and what VMware calls the kind. */
const CONTROLLERS: Readonly<Record<Controller, { readonly type: number; readonly subType?: string; readonly words: string }>> = {
  pvscsi: { type: 6, subType: 'VirtualSCSI', words: 'SCSI controller' },
  lsilogic: { type: 6, subType: 'lsilogic', words: 'SCSI controller' },
  sata: { type: 20, subType: 'vmware.sata.ahci', words: 'SATA controller' },
  ide: { type: 5, words: 'IDE controller' },
};

const NETWORK_SUB_TYPES = { vmxnet3: 'VmxNet3', e1000: 'E1000', e1000e: 'E1000e' } as const;

type Item = Readonly<Record<string, string | number | undefined>>;

/** The descriptor's text. */
export function ovfDescriptor(machine: OvfMachine): string {
  const { disk, controller, network, system } = machine;
  const kind = CONTROLLERS[controller];
  const items: readonly Item[] = [
    {
      AllocationUnits: 'hertz * 10^6',
      Description: 'Number of virtual CPUs',
      ElementName: `${machine.cpus} virtual CPU(s)`,
      InstanceID: 1,
      ResourceType: 3,
      VirtualQuantity: machine.cpus,
    },
    {
      AllocationUnits: 'byte * 2^20',
      Description: 'Memory size',
      ElementName: `${machine.memory} MiB of memory`,
      InstanceID: 2,
      ResourceType: 4,
      VirtualQuantity: machine.memory,
    },
    { Address: 0, Description: kind.words, ElementName: `${kind.words} 0`, InstanceID: 3, ResourceSubType: kind.subType, ResourceType: kind.type },
    { AddressOnParent: 0, ElementName: 'Hard disk 1', HostResource: 'ovf:/disk/vmdisk1', InstanceID: 4, Parent: 3, ResourceType: 17 },
    {
      AddressOnParent: 7,
      AutomaticAllocation: 'true',
      Connection: NETWORK,
      Description: `${NETWORK_SUB_TYPES[network]} ethernet adapter`,
      ElementName: 'Ethernet 1',
      InstanceID: 5,
      ResourceSubType: NETWORK_SUB_TYPES[network],
      ResourceType: 10,
    },
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>
    <File ovf:href="${xml(disk.file)}" ovf:id="file1" ovf:size="${disk.fileSize}"/>
  </References>
  <DiskSection>
    <Info>Virtual disk information</Info>
    <Disk ovf:capacity="${disk.capacity}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="${STREAM_FORMAT}" ovf:populatedSize="${disk.populated}"/>
  </DiskSection>
  <NetworkSection>
    <Info>The list of logical networks</Info>
    <Network ovf:name="${NETWORK}">
      <Description>The network of the machine</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="${xml(machine.name)}">
    <Info>A virtual machine</Info>
    <Name>${xml(machine.name)}</Name>
    <AnnotationSection>
      <Info>What it is</Info>
      <Annotation>${xml(machine.description)}</Annotation>
    </AnnotationSection>
    <OperatingSystemSection ovf:id="${system.id}" vmw:osType="${system.vmware}">
      <Info>The kind of installed guest operating system</Info>
      <Description>${xml(system.words)}</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${xml(machine.name)}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
${items.map(itemText).join('\n')}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="${machine.firmware === 'uefi' ? 'efi' : 'bios'}"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;
}

const NETWORK = 'VM Network';
const STREAM_FORMAT = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';

function itemText(item: Item): string {
  const lines = Object.entries(item).flatMap(([name, value]) => (value === undefined ? [] : [`        <rasd:${name}>${xml(String(value))}</rasd:${name}>`]));
  return ['      <Item>', ...lines, '      </Item>'].join('\n');
}

/** Text as content or attribute; what XML cannot hold becomes a blank. */
function xml(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex -- XML 1.0 has no way to write these.
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, ' ')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
  );
}
