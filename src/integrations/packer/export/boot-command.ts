import { IngotError } from '../../../base/errors.ts';
import type { Release } from '../../../catalog/schema.ts';
import type { AnswerFiles, AnswerKind } from '../../../sources/installer/answers/answers.ts';

/*
 * What Packer types at the start of an installation, since it can hand the kernel its arguments in no other way: keys of each medium's boot menu. They are
 * the ones that Packer templates of the field use; a new medium may move an entry.
 */

export interface BootMenu {
  readonly kind: AnswerKind;
  readonly release: Pick<Release, 'family' | 'distribution' | 'version'>;
  readonly firmware: 'bios' | 'uefi';
  /** Where Packer serves the answers. */
  readonly server: string;
  readonly overlay: AnswerFiles['overlay'];
}

/** A key of GRUB's editor that starts what was edited. */
const START = '<f10>';

/** The keys for a medium, given the kernel's arguments. Pure. */
export function bootCommand(menu: BootMenu, words: readonly string[]): string[] {
  const typed = words.join(' ');
  switch (menu.kind) {
    case 'autoinstall':
      // GRUB's command line, which is the same in every version; it takes `;` for the end of a command.
      return ['<wait>c<wait>', `linux /casper/vmlinuz ${forGrub(typed)} ---<enter><wait>`, 'initrd /casper/initrd<enter><wait>', 'boot<enter><wait>'];
    case 'preseed':
      return menu.firmware === 'bios'
        ? ['<wait><esc><wait>', `auto ${typed}<enter><wait>`]
        : ['<wait>c<wait>', `linux /install.amd/vmlinuz ${forGrub(typed)} ---<enter><wait>`, 'initrd /install.amd/initrd.gz<enter><wait>', 'boot<enter><wait>'];
    case 'kickstart':
      return usesGrub(menu)
        ? ['<wait><up>e<wait>', '<down><down><end>', ` ${forGrub(typed)}`, `${START}<wait>`]
        : ['<wait><up><wait><tab>', ` ${typed}`, '<enter><wait>'];
    case 'autoyast':
      return menu.firmware === 'bios'
        ? ['<wait5><esc><enter><wait>', `linux ${typed}`, '<enter><wait>']
        : ['<wait5><esc><wait>e<wait>', '<down><down><down><down><end>', ` ${forGrub(typed)}`, `${START}<wait>`];
    case 'agama':
      return ['<wait><down><wait>e<wait>', '<down><down><down><down><end><wait>', ` ${forGrub(typed)}`, `${START}<wait>`];
    case 'archinstall':
      return menu.firmware === 'bios' ? ['<wait><tab><wait>', ` ${typed}`, '<enter><wait>'] : ['<wait>e<wait><end>', ` ${typed}`, '<enter><wait>'];
    case 'setup-alpine':
      return liveSystem(menu);
  }
}

/** Alpine's menu is there for a second only; so its live system is logged in to, and given there what it would have fetched when it started. */
function liveSystem({ server, overlay }: BootMenu): string[] {
  const start = overlay?.entries.find(({ path }) => /^etc\/local\.d\/.+\.start$/.test(path));
  if (overlay === undefined || start === undefined) throw new IngotError('internal', 'internal', 'the answers for Alpine start nothing');
  return [
    '<wait30>root<enter><wait5>',
    'ifconfig eth0 up && udhcpc -i eth0 -q<enter><wait10>',
    `wget -q -O - ${server}/${overlay.name} | tar -x -z -C /<enter><wait5>`,
    `sh /${start.path}<enter>`,
  ];
}

/** The RHEL family before 10 has isolinux for BIOS; Fedora has GRUB for both. */
function usesGrub({ release, firmware }: BootMenu): boolean {
  return firmware === 'uefi' || release.distribution === 'fedora' || Number.parseInt(release.version, 10) >= 10;
}

function forGrub(text: string): string {
  return text.replaceAll(/[;&|<>$"'\\]/g, (sign) => `\\${sign}`);
}
