import { homeAt, homeFolder, type Home } from '../base/home.ts';
import { realHost, type Host } from '../base/host.ts';

/** Names of images, VMs, labs, releases, templates, roles, packages, profiles, targets or publications that there are now, for shell completion. Makes nothing, and is quiet about failures. */
export async function namesOf(kind: string): Promise<string[]> {
  const host = realHost();
  const home = homeAt(homeFolder(host));
  if (kind === 'vm') return host.files.list(home.vms);
  if (kind === 'lab') return (await host.files.list(home.labs)).map((file) => file.replace(/\.json$/, ''));
  if (kind === 'image') {
    const { openStore } = await import('../store/store.ts');
    const images = await openStore(host, home).list();
    return [...new Set(images.flatMap((image) => (image.tag === 'latest' ? [image.name] : [`${image.name}:${image.tag}`])))].toSorted();
  }
  if (kind === 'release' || kind === 'template') {
    const { loadCatalog, releases } = await import('../catalog/catalog.ts');
    const { loadSettings } = await import('../base/settings.ts');
    const ids = releases(await loadCatalog({ host, home, settings: await loadSettings({ host, home }) })).map((release) => release.id);
    return kind === 'release' ? ids : [...ids, ...(await templateNames(host, home))];
  }
  if (kind === 'package') {
    const { loadPackages } = await import('../catalog/packages.ts');
    return [...(await loadPackages()).keys()];
  }
  if (kind === 'role') {
    const [{ shippedCatalog }, { ownRoles }] = await Promise.all([import('../catalog/catalog.ts'), import('../roles/find.ts')]);
    return [...new Set([...Object.keys((await shippedCatalog()).roles), ...(await ownRoles({ host, home }))])].toSorted();
  }
  if (kind === 'profile') {
    const { listProfiles } = await import('../lab-images/profiles.ts');
    return (await listProfiles({ host, home })).map(({ name }) => name);
  }
  if (kind === 'target') {
    const [{ listTargets }, { targetReference }] = await Promise.all([import('../publish/targets.ts'), import('../platforms/platform.ts')]);
    return (await listTargets({ host, home })).map(targetReference);
  }
  if (kind === 'publication') return (await host.files.list(home.publications)).map((file) => file.replace(/\.json$/, ''));
  return [];
}

/** The user's templates by name, and the files here that may be one. */
async function templateNames(host: Host, home: Home): Promise<string[]> {
  const { listTemplateFiles } = await import('../template/find.ts');
  const { loadSettings } = await import('../base/settings.ts');
  const own = await listTemplateFiles({ host, home, settings: await loadSettings({ host, home }) });
  const here = (await host.files.list(process.cwd())).filter((name) => /\.ya?ml$/.test(name));
  return [...new Set([...own.map(({ name }) => name), ...here])];
}
