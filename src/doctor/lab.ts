import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { isLocked } from '../base/lock.ts';
import { parseName, type Digest } from '../base/types.ts';
import { readQcow2Header } from '../disk/qcow2.ts';
import type { Context } from '../operations/operation.ts';
import { frozenFilesOf } from '../platforms/local/frozen.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { vmFolders, type VmFolder } from '../platforms/local/vm-folders.ts';
import { activePath, vmPid, type VmRecord } from '../platforms/local/vms.ts';
import { loadWarmStates } from '../platforms/local/warm-record.ts';
import type { ImageChain } from '../store/chains.ts';
import { nameOfReference } from '../store/index-file.ts';
import { isWhole } from '../store/layers.ts';
import { openStore } from '../store/store.ts';
import type { Finding } from './checks.ts';

type LabCheck = Pick<Context, 'host' | 'home'>;
type Chains = ReadonlyMap<Digest, ImageChain>;

/**
 * Whether images and VMs have what they stand on: files are looked for and their sizes compared, no bytes are read and nothing is changed. Findings
 * that need nothing done are `ok`.
 */
export async function checkLab(context: LabCheck): Promise<Finding[]> {
  const vms = await vmFolders(context.host, context.home);
  const { chains, findings } = await checkImages(context, vms);
  const found = await Promise.all(vms.map((vm) => checkVm(context, vm, chains)));
  const whole = vms.length > 0 && found.every((list) => list.length === 0);
  return [
    ...findings,
    ...(whole ? [{ name: 'VMs', state: 'ok' as const, found: `${vms.length}, each with its image and its disks` }] : found.flat()),
    ...(await checkFrozen(context, vms)),
    ...(await checkScratch(context)),
  ];
}

async function checkImages(context: LabCheck, vms: readonly VmFolder[]): Promise<{ chains: Chains; findings: Finding[] }> {
  const { host, home } = context;
  try {
    const all = await openStore(host, home).chains();
    const chains: Chains = new Map(all.map((chain) => [chain.digest, chain]));
    const lacking = (await Promise.all(all.map((chain) => imageFinding(context, chain)))).flat();
    const used = new Set(vms.map(({ record }) => record?.image.digest));
    const orphans = all.filter(({ digest, references }) => references.length === 0 && !used.has(digest)).length;
    const sum = `${all.length} in the store${orphans === 0 ? '' : `, of which nothing names or uses ${orphans} (\`ingot image prune\` removes them)`}`;
    return { chains, findings: lacking.length > 0 ? lacking : [{ name: 'images', state: 'ok', found: sum, purpose: '`ingot image verify` reads every byte' }] };
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    const remedy = error.hint === undefined ? {} : { remedy: error.hint };
    return { chains: new Map(), findings: [{ name: 'images', state: 'missing', found: error.message, ...remedy }] };
  }
}

async function imageFinding({ host, home }: LabCheck, chain: ImageChain): Promise<Finding[]> {
  const reference = chain.references[0] ?? `${chain.name}@${short(chain.digest)}`;
  const lacks = [];
  for (const layer of chain.layers) if (!(await isWhole(host, home, layer))) lacks.push(layer.digest);
  const why = lacks.length > 0 ? `lacks ${lacks.length} of its ${chain.layers.length} layers: ${lacks.map(short).join(', ')}` : chain.damaged;
  if (why === undefined) return [];
  const remedy = `\`ingot image load\` of an archive that holds it, or \`ingot build\`, makes it usable; \`ingot image remove ${reference}\` gives it up.`;
  return [{ name: `image ${reference}`, state: 'missing', found: why, remedy }];
}

async function checkVm(context: LabCheck, vm: VmFolder, chains: Chains): Promise<Finding[]> {
  const { home } = context;
  const finding = (state: Finding['state'], found: string, remedy?: string): Finding[] => [
    { name: `VM ${vm.name}`, state, found, ...(remedy === undefined ? {} : { remedy }) },
  ];
  if (vm.problem?.code === 'name-invalid')
    return finding('warning', `${join(home.vms, vm.name)} is no VM, and commands for all VMs fail for its name`, 'Look at what it is, and move it away.');
  if (vm.problem !== undefined) return finding(vm.problem.code === 'vm-newer' ? 'warning' : 'missing', vm.problem.message, vm.problem.hint);
  if (vm.record === undefined) return finding('warning', 'a folder without vm.json, which is no VM', `Remove it with \`ingot vm delete ${vm.name} --force\`.`);
  const pid = await vmPid(context.host, home, parseName(vm.name, 'a VM'));
  return [
    ...(await imageOfVm(context, vm.record, { chain: chains.get(vm.record.image.digest), runs: pid !== undefined })).flatMap((one) => finding(...one)),
    ...(await disksOfVm(context, vm.record)).flatMap((one) => finding(...one)),
    ...(pid === undefined ? await leftOfVm(context, vm.record) : []).flatMap((one) => finding(...one)),
  ];
}

type Found = readonly [state: Finding['state'], found: string, remedy?: string];

async function imageOfVm({ host, home }: LabCheck, vm: VmRecord, { chain, runs }: { chain: ImageChain | undefined; runs: boolean }): Promise<Found[]> {
  const { reference, digest, layers } = vm.image;
  const sizes = new Map(chain?.layers.map((layer) => [layer.digest, layer.size]));
  const lacks = [];
  for (const layer of layers) {
    const size = (await host.files.status(home.blob(layer)))?.size;
    if (size === undefined || size !== (sizes.get(layer) ?? size)) lacks.push(layer);
  }
  const image = `${reference} (${short(digest)})`;
  if (lacks.length > 0) {
    const running = runs ? ' It still runs on the open files: copy what you need out of it before it stops.' : '';
    const what = `${lacks.length} of the ${layers.length} layers of its image ${image} ${lacks.length === 1 ? 'is' : 'are'} missing or cut off: ${lacks.map(short).join(', ')}`;
    return [['missing', what, `${wayBack(vm)}${running}`]];
  }
  if (chain !== undefined) return [];
  const back = '`ingot image restore` of a backup, or `ingot image load` of an archive that holds it, brings it back.';
  return [['warning', `the store does not know its image ${image} any more; its layers are there, and stay as long as the VM does`, back]];
}

/** How the image of a VM comes back: only the very bytes help, since its disk holds what differs from them. */
function wayBack({ name, image: { reference, digest } }: VmRecord): string {
  const built = reference.startsWith('sha256:') ? 'Building it' : `\`ingot build ${nameOfReference(reference.split('@')[0] ?? reference)}\``;
  return `\`ingot image load\` of an archive that holds ${digest} mends it. ${built} anew helps only where it gives the same bytes. \`ingot vm delete ${name}\` gives the VM up.`;
}

/** The files that a VM writes to, what they stand on, and what its snapshots need. */
async function disksOfVm({ host, home }: LabCheck, vm: VmRecord): Promise<Found[]> {
  const lost = `What was on it is lost, unless you have a copy: put that there, restore a snapshot, or remove the rest with \`ingot vm delete ${vm.name} --force\`.`;
  const folder = home.vm(parseName(vm.name, 'a VM'));
  const isThere = async (path: string): Promise<boolean> => (await host.files.status(path)) !== undefined;
  const found: Found[] = [];
  for (const { name, frozen, active } of vm.disks) {
    const gone = [];
    for (const path of [...frozen.map((id) => home.frozenDisk(id)), activePath(folder, active)]) if (!(await isThere(path))) gone.push(path);
    const flaw = gone.length > 0 ? undefined : await headerFlaw(host, activePath(folder, active));
    if (gone.length > 0) found.push(['missing', `its disk ${name} lacks ${gone.join(', ')}`, lost]);
    else if (flaw !== undefined) found.push(['missing', `its disk ${name} is damaged: ${flaw}`, lost]);
  }
  for (const { name, disks, ram } of vm.snapshots) {
    const gone = [];
    const files = [...disks.flatMap(({ frozen }) => frozen.map((id) => home.frozenDisk(id))), ...(ram === undefined ? [] : [home.frozenRam(ram.file)])];
    for (const path of files) if (!(await isThere(path))) gone.push(path);
    if (gone.length > 0)
      found.push([
        'warning',
        `its snapshot ${name} cannot be restored: it lacks ${gone.join(', ')}`,
        'Bring the file back from a copy, or delete the snapshot.',
      ]);
  }
  const { suspended } = vm;
  if (suspended !== undefined && !(await isThere(home.frozenRam(suspended.file))))
    found.push([
      'warning',
      `it is suspended, and the memory that it goes on with is missing: ${home.frozenRam(suspended.file)}`,
      'Bring the file back from a copy; without it, the VM can only boot.',
    ]);
  return found;
}

async function headerFlaw(host: LabCheck['host'], path: string): Promise<string | undefined> {
  try {
    await readQcow2Header(host.files, path);
    return undefined;
  } catch (error) {
    if (error instanceof IngotError) return error.message;
    throw error;
  }
}

/** Frozen disks and memory that no VM names; where a record cannot be read, what it names is not known, and none is told of. */
async function checkFrozen({ host, home }: LabCheck, vms: readonly VmFolder[]): Promise<Finding[]> {
  if (vms.some(({ problem }) => problem !== undefined)) return [];
  const named = new Set(vms.flatMap(({ record }) => (record === undefined ? [] : [...frozenFilesOf(home, record)])));
  for (const state of await loadWarmStates(host, home)) named.add(home.frozenDisk(state.frozen));
  const spare = (await host.files.list(home.frozen)).map((name) => join(home.frozen, name)).filter((path) => !named.has(path));
  if (spare.length === 0) return [];
  return [{ name: 'left over', state: 'ok', found: `${spare.length} in ${home.frozen} that no VM stands on; the next \`ingot vm delete\` removes them` }];
}

async function leftOfVm({ host, home }: LabCheck, vm: VmRecord): Promise<Found[]> {
  if ((await host.files.status(guestFiles(home.vm(parseName(vm.name, 'a VM'))).pid)) === undefined) return [];
  return [['ok', 'stopped without a shutdown (by force, or with the host); the pid file and sockets that it left are harmless, and go with its next start']];
}

/** Scratch whose process has ended, and that was not swept when this one started. */
async function checkScratch({ host, home }: LabCheck): Promise<Finding[]> {
  const dead = (await host.files.list(home.run)).filter((id) => !isLocked(home, `run-${id}`));
  if (dead.length === 0) return [];
  const found = `${dead.length} in ${home.run} of processes that have ended: ${dead.slice(0, 5).join(', ')}`;
  return [{ name: 'left over', state: 'warning', found, remedy: "They belong to the builds' root helper: the next build sweeps them." }];
}

function short(digest: Digest): string {
  return digest.slice(0, 'sha256:'.length + 12);
}
