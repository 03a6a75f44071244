import { IngotError } from '../base/errors.ts';
import { makeScratch } from '../base/scratch.ts';
import { installedPackages } from '../diff/images.ts';
import { familyOf } from '../families/families.ts';
import type { Context } from '../operations/operation.ts';
import { isForeign, type Image, type InstalledPackage } from '../store/model.ts';
import { layerPaths, openStore } from '../store/store.ts';
import { choosePlace, openPlace } from '../workspace/place.ts';
import { openThrowAway } from '../workspace/throw-away.ts';

/** Kinds of layers that may change packages without the plan knowing which. */
const UNKNOWN = new Set(['run', 'script', 'ansible', 'disk']);
/** Kinds that change none, whatever the family. */
const NONE = new Set(['copy', 'file', 'users', 'system', 'network', 'service']);

/** Whether the layers of an image tell of all its packages, with their versions. */
export function tellsPackages({ config }: Pick<Image, 'config'>): boolean {
  const { family, layers } = config['dev.ingot.image'];
  const isPlanned = familyOf(family).planned !== undefined;
  return layers.every(({ kind = 'bootstrap' }) => !UNKNOWN.has(kind) && (isPlanned || NONE.has(kind)));
}

/** Prints a line for each package: name, version, architecture, with tabs between; by family. Run with sh in the image. */
const QUERIES: Readonly<Record<string, string>> = {
  debian: String.raw`dpkg-query --show --showformat '${'${db:Status-Status}'}\t${'${Package}'}\t${'${Version}'}\t${'${Architecture}'}\n' | sed -n 's/^installed\t//p'`,
  rhel: String.raw`rpm -qa --queryformat '%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\t%{ARCH}\n'`,
  suse: String.raw`rpm -qa --queryformat '%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\t%{ARCH}\n'`,
  arch: String.raw`pacman -Q | sed "s/ /\t/; s/$/\t$(uname -m)/"`,
  alpine: String.raw`awk -F: '/^P:/{p=$2} /^V:/{v=$2} /^A:/{a=$2} /^$/{if(p!="")print p"\t"v"\t"a; p=""} END{if(p!="")print p"\t"v"\t"a}' /lib/apk/db/installed`,
};

/** The packages in the lines that the image's own package manager printed; pure, since nobody vouches for them. Sorted by name. */
export function parsePackageLines(text: string): InstalledPackage[] {
  const found = text.split('\n').flatMap((line): InstalledPackage[] => {
    const [name = '', version = '', arch = '', ...more] = line.split('\t');
    return name === '' || version === '' || more.length > 0 || name === 'gpg-pubkey' ? [] : [{ name, version, arch: arch === '' ? 'none' : arch }];
  });
  return found.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * The packages of an image: as its layers tell, or, where they do not tell all, as its own package manager does. For that its disk is opened once; what
 * was read stays beside the image as a statement. Throws what opening a disk throws, and `packages-unreadable`.
 */
export async function packagesOfImage(context: Context, image: Image): Promise<readonly InstalledPackage[]> {
  const details = image.config['dev.ingot.image'];
  if (tellsPackages(image)) return installedPackages(details);
  const store = openStore(context.host, context.home);
  const known = (await store.statements(image)).findLast((statement) => statement.kind === 'packages');
  if (known?.kind === 'packages') return known.content.packages;
  const packages = await context.events.stage('read the packages of the disk', () => readFromDisk(context, image));
  await store.addStatements(image, [{ kind: 'packages', content: { v: 1, packages: [...packages], read: context.host.clock.now().toISOString() } }]);
  return packages;
}

async function readFromDisk(context: Context, image: Image): Promise<InstalledPackage[]> {
  const { host, home, settings } = context;
  const { family, layers, disk } = image.config['dev.ingot.image'];
  const query = QUERIES[familyOf(family).name];
  if (query === undefined) throw new IngotError('usage', 'packages-unreadable', `It is not known how packages of the family ${family} are read`);
  await using scratch = await makeScratch(host, home, 'reading the packages of an image');
  await using place = await openPlace(context, {
    kind: await choosePlace(context, settings.workspace === 'auto' ? undefined : settings.workspace, { foreign: isForeign(layers) }),
    scratch: scratch.path,
  });
  await using workspace = await openThrowAway(context, place, { chain: layerPaths(home, image), size: disk.size, scratch: scratch.path });
  const { stdout } = await workspace.root.run(['/bin/sh', '-c', query], { timeout: 300, quiet: true });
  const packages = parsePackageLines(stdout);
  if (packages.length === 0) throw new IngotError('verification', 'packages-unreadable', 'The package manager of the image names no package');
  return packages;
}
