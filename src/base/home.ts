import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { IngotError } from './errors.ts';
import { readTextIfThere, replaceFile } from './files.ts';
import type { Host } from './host.ts';
import { hexOf, hostPath, type Digest, type HostPath, type Key, type Name } from './types.ts';

/** Version of the home's layout. A newer home is refused, an older one is migrated. */
export const HOME_VERSION = 1;

/**
 * Every name that ingot uses on disk, in one place. All are below one folder, INGOT_HOME.
 *
 *     version                 the layout's version, one number
 *     settings.yaml           the user's settings
 *     profiles.yaml           the user's profiles of VMs
 *     targets.json            connections to platforms; the secrets that belong to them are in secrets.age
 *     store/                  OCI image layout: oci-layout, index.json (and index.copy.json, to repair it from), blobs/sha256/
 *     store/layers/           layer cache: one record per key
 *     cache/packages/         downloaded packages, by SHA-256; large ones also as <sha256>.quick, which is expanded faster
 *     cache/upstream/         repository metadata per release and architecture
 *     cache/resolutions/      what a package list resolved to
 *     cache/helper/           the helper VM: current.json, and a folder <key>/ with kernel, root disk and saved RAM
 *     cache/warm/<key>/       a booted machine of an image, to start VMs from: warm.json, memory, devices
 *     cache/texts/            keys and certificates that templates name by address, as they were last seen
 *     cache/git/              repositories that roles come from, by the hash of their address
 *     cache/downloads/        what roles fetch, by SHA-256
 *     cache/pulls/            blobs of images that are being pulled, by SHA-256; <sha256>.part while they come
 *     cache/disks/            disks and cloud images that images start from, by SHA-256; what is known of them, as <algorithm>-<hash>.json and
 *                             address-<hash>.json; and <id>.part with <id>.part.journal, of downloads that go on or can be gone on with
 *     cache/catalog-seen.json when `catalog check` last found each cloud image good
 *     cache/checksums/        checksum files and signatures of cloud images, as they were last seen
 *     cache/exports/          flat disks of images while they are published, by the image's digest
 *     cache/installed/<key>.qcow2  what an installer has left on a disk, until it is in the store
 *     cache/packer/           installation media that Packer has fetched
 *     cache/accelerator.json  what the accelerator probe found, for this boot of the host
 *     cache/file-digests.json digests of large files of the host, for as long as they are unchanged
 *     keys/id_ed25519         the key that ingot logs in to VMs with
 *     keys/secrets.key        the age identity that opens the secrets, unless a passphrase does
 *     keys/fingerprint.key    the key of the hashes that stand for secrets in layer keys
 *     keys/signing.pub        the public part of the key that signs images; the private one is a secret
 *     secrets.age             the secrets, encrypted with age
 *     templates/              the user's templates, unless the setting says another folder
 *     roles/<role>/           the user's roles
 *     catalog/                the user's distributions and keys, unless the setting says another folder: distros/<name>.yaml, keys/<name>.asc
 *     queue.db                builds that wait, run or ran, and how long layers took (SQLite)
 *     locks/                  one lock per name, with its owner beside it
 *     run/<id>/               scratch of one process; swept when its lock is free
 *     vms/<name>/             a VM: vm.json, disks, seed, console log, sockets
 *     frozen/<id>.qcow2       a disk that no VM writes to any more, since snapshots, clones or VMs stand on it
 *     frozen/<id>.ram         the memory of a machine: of a snapshot, or of a suspended VM
 *     frozen/<id>.fd          UEFI variables of a snapshot
 *     labs/<name>.json        a lab: what was applied last, its network and the addresses on it
 *     known-hosts/<identity>  the SSH host keys of a VM on a target
 *     publications/<id>.json  an image on a target: the journal of its publication, and what was made there
 *     registrations/<id>.json a machine that a build registers at who serves its packages: the journal until it is unregistered
 *     logs/                   event logs of operations, ingot.log, and builds/<name>/ with a log of each build
 *     logs/installs/<name>/   a folder <time>-<key>/ for each unattended installation of that name: console.log, and pictures of its screen
 */
export interface Home {
  readonly root: HostPath;
  readonly version: HostPath;
  readonly settings: HostPath;
  readonly profiles: HostPath;
  readonly targets: HostPath;
  readonly store: HostPath;
  readonly blobs: HostPath;
  readonly layers: HostPath;
  readonly packages: HostPath;
  readonly upstream: HostPath;
  readonly resolutions: HostPath;
  readonly helper: HostPath;
  readonly warm: HostPath;
  readonly texts: HostPath;
  readonly git: HostPath;
  readonly downloads: HostPath;
  readonly pulls: HostPath;
  readonly disks: HostPath;
  readonly checksums: HostPath;
  readonly catalogSeen: HostPath;
  readonly exports: HostPath;
  readonly installed: HostPath;
  readonly packerCache: HostPath;
  readonly accelerator: HostPath;
  readonly fileDigests: HostPath;
  readonly keys: HostPath;
  readonly secretsKey: HostPath;
  readonly fingerprintKey: HostPath;
  readonly signingPublic: HostPath;
  readonly secrets: HostPath;
  readonly templates: HostPath;
  readonly roles: HostPath;
  readonly catalog: HostPath;
  readonly queue: HostPath;
  readonly locks: HostPath;
  readonly run: HostPath;
  readonly vms: HostPath;
  readonly frozen: HostPath;
  readonly labs: HostPath;
  readonly publications: HostPath;
  readonly registrations: HostPath;
  readonly logs: HostPath;
  /** ingot's own log; older parts are beside it, compressed. */
  readonly log: HostPath;
  readonly buildLogs: HostPath;
  readonly installLogs: HostPath;
  blob(digest: Digest): HostPath;
  layer(key: Key): HostPath;
  installedDisk(key: Key): HostPath;
  vm(name: Name): HostPath;
  lab(name: Name): HostPath;
  publication(id: string): HostPath;
  registration(id: string): HostPath;
  knownHosts(identity: string): HostPath;
  warmState(key: string): HostPath;
  frozenDisk(id: string): HostPath;
  frozenRam(id: string): HostPath;
  frozenVariables(id: string): HostPath;
}

/** The names below a root folder; touches nothing. */
export function homeAt(root: HostPath): Home {
  const at = (...parts: string[]): HostPath => hostPath(join(root, ...parts));
  return {
    root,
    version: at('version'),
    settings: at('settings.yaml'),
    profiles: at('profiles.yaml'),
    targets: at('targets.json'),
    store: at('store'),
    blobs: at('store', 'blobs', 'sha256'),
    layers: at('store', 'layers'),
    packages: at('cache', 'packages'),
    upstream: at('cache', 'upstream'),
    resolutions: at('cache', 'resolutions'),
    helper: at('cache', 'helper'),
    warm: at('cache', 'warm'),
    texts: at('cache', 'texts'),
    git: at('cache', 'git'),
    downloads: at('cache', 'downloads'),
    pulls: at('cache', 'pulls'),
    disks: at('cache', 'disks'),
    checksums: at('cache', 'checksums'),
    catalogSeen: at('cache', 'catalog-seen.json'),
    exports: at('cache', 'exports'),
    installed: at('cache', 'installed'),
    packerCache: at('cache', 'packer'),
    accelerator: at('cache', 'accelerator.json'),
    fileDigests: at('cache', 'file-digests.json'),
    keys: at('keys'),
    secretsKey: at('keys', 'secrets.key'),
    fingerprintKey: at('keys', 'fingerprint.key'),
    signingPublic: at('keys', 'signing.pub'),
    secrets: at('secrets.age'),
    templates: at('templates'),
    roles: at('roles'),
    catalog: at('catalog'),
    queue: at('queue.db'),
    locks: at('locks'),
    run: at('run'),
    vms: at('vms'),
    frozen: at('frozen'),
    labs: at('labs'),
    publications: at('publications'),
    registrations: at('registrations'),
    logs: at('logs'),
    log: at('logs', 'ingot.log'),
    buildLogs: at('logs', 'builds'),
    installLogs: at('logs', 'installs'),
    blob: (digest) => at('store', 'blobs', 'sha256', hexOf(digest)),
    layer: (key) => at('store', 'layers', `${hexOf(key)}.json`),
    installedDisk: (key) => at('cache', 'installed', `${hexOf(key)}.qcow2`),
    vm: (name) => at('vms', name),
    publication: (id) => at('publications', `${id}.json`),
    registration: (id) => at('registrations', `${id}.json`),
    knownHosts: (identity) => at('known-hosts', identity.replaceAll(/[^A-Za-z0-9.-]/g, '-')),
    lab: (name) => at('labs', `${name}.json`),
    warmState: (key) => at('cache', 'warm', key),
    frozenDisk: (id) => at('frozen', `${id}.qcow2`),
    frozenRam: (id) => at('frozen', `${id}.ram`),
    frozenVariables: (id) => at('frozen', `${id}.fd`),
  };
}

/**
 * Where the home is: INGOT_HOME, else /var/lib/ingot for a root login, else the invoking user's data folder (the
 * user behind sudo, too: XDG_DATA_HOME or ~/.local/share/ingot).
 */
export function homeFolder(host: Pick<Host, 'env' | 'machine'>, sudoHome?: string): HostPath {
  const { env, machine } = host;
  if (env['INGOT_HOME'] !== undefined && env['INGOT_HOME'] !== '') return hostPath(resolve(env['INGOT_HOME']));
  const invoker = env['SUDO_USER'];
  if (machine.uid === 0 && invoker !== undefined && invoker !== 'root' && sudoHome !== undefined) {
    return hostPath(join(sudoHome, '.local', 'share', 'ingot'));
  }
  if (machine.uid === 0) return hostPath('/var/lib/ingot');
  const data = env['XDG_DATA_HOME'];
  return hostPath(data !== undefined && data.startsWith('/') ? join(data, 'ingot') : join(homedir(), '.local', 'share', 'ingot'));
}

/** Makes the home's folders where they are missing, and checks its version; throws `home-newer`. */
export async function openHome(host: Pick<Host, 'files'>, root: HostPath): Promise<Home> {
  const home = homeAt(root);
  const found = await readTextIfThere(host.files, home.version);
  if (found === undefined) {
    await host.files.makeDirectory(root, 0o700);
    for (const folder of [home.blobs, home.layers, home.packages, home.upstream, home.resolutions, home.locks, home.run, home.vms, home.logs]) {
      await host.files.makeDirectory(folder);
    }
    await host.files.makeDirectory(home.keys, 0o700);
    await replaceFile(host.files, home.version, `${HOME_VERSION}\n`);
    return home;
  }
  const version = Number(found.trim());
  if (!Number.isInteger(version) || version < 1) {
    throw new IngotError('internal', 'home-damaged', `${home.version} does not hold a version number`, {
      hint: `If this home was made by ingot, write ${HOME_VERSION} into that file.`,
    });
  }
  if (version > HOME_VERSION) {
    throw new IngotError('host', 'home-newer', `The home ${root} was made by a newer ingot (layout ${version}, this one knows ${HOME_VERSION})`, {
      hint: 'Update ingot, or set INGOT_HOME to another folder.',
    });
  }
  return home;
}
