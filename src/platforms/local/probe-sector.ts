/*
 * A guest in 512 bytes. It does, in this order, what the start of a stock 64-bit kernel needs: BIOS calls in real mode (among them those
 * of the EDD probe), the way into long mode with paging, and then 2^26 rounds of 64-bit work on memory. The rounds matter: a
 * host without hardware assistance can open /dev/kvm and interpret such code correctly, but a thousand times slower than an emulator
 * that translates it, so that a kernel seems to hang while it unpacks itself. At the end 0x10 goes to the port of QEMU's
 * isa-debug-exit, which makes QEMU exit with (0x10 << 1) | 1 (QEMU: hw/misc/debugexit.c).
 *
 * Source, for `as --32` and `ld -m elf_i386 -Ttext 0x7c00 --oformat binary` (Intel SDM volume 3, 9.8.5, "Initializing IA-32e Mode"):
 *
 *             .code16
 *     _start: cli
 *             xor   %ax, %ax
 *             mov   %ax, %ds
 *             mov   %ax, %es
 *             mov   %ax, %ss
 *             mov   $0x7c00, %sp
 *             ljmp  $0, $1f               # some BIOSes start at 07c0:0000
 *     1:      sti
 *             mov   $0x41, %ah            # int 13h, EDD: is it there?
 *             mov   $0x55aa, %bx
 *             mov   $0x80, %dl
 *             int   $0x13
 *             mov   $0x48, %ah            # int 13h, EDD: parameters of the first disk, to 0x600
 *             mov   $0x80, %dl
 *             mov   $0x600, %si
 *             movw  $0x1e, (%si)
 *             int   $0x13
 *             mov   $0x2401, %ax          # int 15h: A20 on
 *             int   $0x15
 *             cli
 *             cld
 *             mov   $0x1000, %di          # page tables at 0x1000 to 0x3fff, empty
 *             xor   %ax, %ax
 *             mov   $0x1800, %cx
 *             rep stosw
 *             movw  $0x2003, 0x1000       # PML4 -> PDPT -> PD -> one page of 2 MiB, present and writable
 *             movw  $0x3003, 0x2000
 *             movw  $0x0083, 0x3000
 *             mov   $0x1000, %eax
 *             mov   %eax, %cr3
 *             mov   %cr4, %eax
 *             or    $0x20, %eax           # CR4.PAE
 *             mov   %eax, %cr4
 *             mov   $0xc0000080, %ecx     # EFER.LME
 *             rdmsr
 *             or    $0x100, %eax
 *             wrmsr
 *             lgdt  gdtr
 *             mov   %cr0, %eax
 *             or    $0x80000001, %eax     # CR0.PG and CR0.PE
 *             mov   %eax, %cr0
 *             ljmp  $8, $long
 *             .code64
 *     long:   mov   $0x0123456789abcdef, %rax   # registers are 64 bits wide, or it stops here
 *             rol   $32, %rax
 *             mov   $0x89abcdef01234567, %rbx
 *             cmp   %rbx, %rax
 *             jne   2f
 *             mov   $0x4000000, %ecx
 *     3:      mov   %rcx, 0x8000
 *             dec   %rcx
 *             jnz   3b
 *             mov   $0x10, %eax
 *             mov   $0xf4, %edx
 *             outl  %eax, %dx
 *     2:      hlt
 *             jmp   2b
 *             .balign 8
 *     gdt:    .quad 0
 *             .quad 0x00209a0000000000    # code, 64-bit, ring 0
 *     gdtr:   .word gdtr - gdt - 1
 *             .long gdt
 *             .org  510
 *             .word 0xaa55
 */
const CODE =
  'fa31c08ed88ec08ed0bc007cea117c0000fbb441bbaa55b280cd13b448b280be0006c7041e00cd13b80124cd15fafcbf001031c0b90018f3ab' +
  'c70600100320c70600200330c7060030830066b8001000000f22d80f20e06683c8200f22e066b9800000c00f32660d000100000f300f0116d87c' +
  '0f20c0660d010000800f22c0ea847c080048b8efcdab896745230148c1c02048bb67452301efcdab894839d8751db90000000448890c2500800000' +
  '48ffc975f3b810000000baf4000000eff4ebfd8db42600000000000000000000000000000000009a20000f00c87c';

/** The exit code of QEMU when the guest got through. */
export const PROBE_EXIT_CODE = 33;

/** The port that the guest ends the machine with. */
export const PROBE_EXIT_PORT = 0xf4;

/** The probe as a disk of 1 MiB: the BIOS boots from no smaller one. */
export function probeDisk(): Uint8Array {
  const disk = Buffer.alloc(2 ** 20);
  disk.write(CODE, 'hex');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}
