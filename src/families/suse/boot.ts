import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { bootEntries, initramfs } from '../common/rpm-boot.ts';

/** An initramfs for each kernel that has none of its own age, and the kernel's arguments wherever a boot loader looks for them. */
export function boot(addedArguments: readonly string[]): GuestCommand[] {
  return [initramfs('/boot/initrd-', ''), bootEntries(addedArguments)];
}
