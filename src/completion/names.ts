import { homeAt, homeFolder } from '../base/home.ts';
import { realHost } from '../base/host.ts';

/** Names of images, VMs or releases that there are now, for shell completion. Makes nothing, and is quiet about failures. */
export async function namesOf(kind: string): Promise<string[]> {
  const host = realHost();
  const home = homeAt(homeFolder(host));
  if (kind === 'vm') return host.files.list(home.vms);
  if (kind === 'image') {
    const { openStore } = await import('../store/store.ts');
    const images = await openStore(host, home).list();
    return [...new Set(images.flatMap((image) => (image.tag === 'latest' ? [image.name] : [`${image.name}:${image.tag}`])))].toSorted();
  }
  if (kind === 'release') {
    const { loadCatalog, releases } = await import('../catalog/catalog.ts');
    return releases(await loadCatalog()).map((release) => release.id);
  }
  return [];
}
