import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import { accelerator } from '../platforms/local/accelerator.ts';
import type { Finding } from './checks.ts';

/** What runs the processors of VMs, as it was proven by running a guest for a moment (remembered for this boot of the host). */
export async function checkAccelerator(context: Pick<Context, 'host' | 'home' | 'signal'>): Promise<Finding> {
  const purpose = 'running VMs fast';
  try {
    // No events: the finding itself says it.
    const found = await accelerator({ host: context.host, home: context.home, signal: context.signal });
    if (found.kind !== 'tcg') return { name: 'accelerator', state: 'ok', found: found.kind, purpose };
    return {
      name: 'accelerator',
      state: 'warning',
      found: `software emulation (TCG): ${found.reason}`,
      purpose,
      remedy: 'VMs run about ten times slower. In a VM, switch on nested virtualisation in the outer hypervisor.',
    };
  } catch (error) {
    if (!(error instanceof IngotError) || error.class === 'interrupted') throw error;
    return { name: 'accelerator', state: 'missing', found: error.message, purpose, ...(error.hint === undefined ? {} : { remedy: error.hint }) };
  }
}
