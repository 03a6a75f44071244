import type { PveConfig } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { REQUESTS } from './requests.ts';

const SEED = /^([^:,]+):iso\/ingot-seed-\d+\.iso$/;

/** What the file of a VM's seed is called. */
export function seedFile(vmid: number): string {
  return `ingot-seed-${vmid}.iso`;
}

/** The uploaded seed that a VM has, if it has one. */
export function seedOf(config: PveConfig): { readonly storage: string; readonly volume: string } | undefined {
  for (const value of Object.values(config)) {
    const volume = value.split(',')[0] ?? '';
    const storage = SEED.exec(volume)?.[1];
    if (storage !== undefined) return { storage, volume };
  }
  return undefined;
}

/** Removes the seed of a VM. */
export async function removeSeed(
  client: ProxmoxClient,
  node: string,
  { storage, volume }: { readonly storage: string; readonly volume: string },
): Promise<void> {
  const gone = async (): Promise<boolean> => !(await client.call(REQUESTS.content(node, storage, 'iso'))).some(({ volid }) => volid === volume);
  if (await gone()) return;
  await client.work(REQUESTS.deleteVolume(node, storage, volume), { what: `removing ${volume}`, node, tasks: (task) => task.type === 'imgdel', done: gone });
}
