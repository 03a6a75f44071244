import { dirname } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { hashValue } from '../base/hash.ts';
import { hostPath, parseName, parseSize, type HostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { DEFAULT_MACHINE, LEAST_MEMORY, type Profile } from '../lab-images/profile.ts';
import { findProfile } from '../lab-images/profiles.ts';
import { parseForward } from '../platforms/local/forwards.ts';
import { parseShare } from '../platforms/local/shares.ts';
import type { WaitGoal } from '../platforms/local/wait.ts';
import { placedProblems, shownFile } from '../template/placed.ts';
import { schemaProblems } from '../template/problems.ts';
import { Reading } from '../template/reading.ts';
import { MAX_FILE_SIZE, parseSource, pathText, placeAt, plainOf, type Node, type PlacedProblem } from '../template/source.ts';
import { seconds } from '../template/text.ts';
import { ContentReader } from './content.ts';
import type { Lab, Member } from './model.ts';
import { memberNames, startOrder } from './order.ts';
import { labSchema, type LabFile, type LabFileVm } from './schema.ts';
import { capacity, parseSubnet } from './subnet.ts';

export type ReadContext = Pick<Context, 'host' | 'home' | 'folder'>;

type Path = readonly PropertyKey[];

/** Characters of a VM's name. */
const LONGEST_NAME = 63;

/** Tells what is wrong at a place of the file. */
export type Problem = (path: Path, message: string, hint?: string) => void;

/**
 * What a lab file asks for, with the contents of all that it brings in. Throws `lab-file-missing`, and `lab-invalid` with every problem at its line and
 * column.
 */
export async function readLab(context: ReadContext, file: HostPath): Promise<Lab> {
  const { host, folder } = context;
  const status = await host.files.resolveLinks(file).then((path) => (path === undefined ? undefined : host.files.status(path)));
  if (status === undefined || status.kind !== 'file') {
    throw new IngotError('not-found', 'lab-file-missing', `There is no file ${shownFile(file, folder)}`, {
      hint: 'A lab is described in a file such as lab.yaml; docs/lab-in-five-minutes.md has one to start with.',
    });
  }
  if (status.size > MAX_FILE_SIZE) throw new IngotError('usage', 'lab-invalid', `${shownFile(file, folder)} is too large for a lab file`);
  return await parseLab(context, file, Buffer.from(await host.files.read(file)).toString('utf8'));
}

/** {@link readLab} from a text. */
export async function parseLab(context: ReadContext, file: HostPath, text: string): Promise<Lab> {
  const { source, root, problems } = parseSource(file, text);
  if (root === undefined) {
    throw labInvalid(file, problems.length > 0 ? problems : [{ message: 'is empty', place: { source, offset: 0 } }], context.folder);
  }
  const parsed = labSchema.safeParse(plainOf(root), { jitless: true });
  if (!parsed.success) throw labInvalid(file, [...problems, ...schemaProblems(parsed.error.issues, labSchema, root)], context.folder);
  const problem: Problem = (path, message, hint) => {
    problems.push({ path: pathText(path), message, place: placeAt(root, path), ...(hint === undefined ? {} : { hint }) });
  };
  const lab = await expand(context, file, parsed.data, problem);
  if (problems.length > 0) throw labInvalid(file, problems, context.folder);
  return lab;
}

/** The name of the lab that a file describes, whatever else is wrong with it; undefined where it says none. */
export function nameInFile(file: HostPath, text: string): string | undefined {
  const { root } = parseSource(file, text);
  const entry: Node | undefined = root?.kind === 'map' ? root.entries.get('lab')?.value : undefined;
  return entry?.kind === 'value' && typeof entry.value === 'string' ? entry.value : undefined;
}

async function expand(context: ReadContext, file: HostPath, data: LabFile, problem: Problem): Promise<Lab> {
  const groups = Object.entries(data.vms);
  if (groups.length === 0) problem(['vms'], 'must not be empty');
  const names = memberNames(groups.map(([group, { count }]) => ({ group, count })));
  checkNames(data.lab, names, problem);
  checkNetwork(data, [...names.values()].flat().length, problem);
  const order = startOrder(
    groups.map(([group, { after }]) => ({ group, after: typeof after === 'string' ? [after] : after })),
    (group, message, hint) => problem(['vms', group, 'after'], message, hint),
  );
  if (data.platform !== 'local') refuseLocalKeys(data, problem);
  const reading = new Reading(context);
  const content = new ContentReader(context.host, reading, file);
  const members: Member[] = [];
  for (const group of order) {
    const vm = data.vms[group];
    if (vm === undefined) continue;
    const shared = await sharedParts(context, { file, content }, vm, ['vms', group], problem);
    const after = (typeof vm.after === 'string' ? [vm.after] : vm.after).flatMap((name) => names.get(name) ?? []);
    for (const name of names.get(group) ?? []) {
      const vm = `${data.lab}-${name}`;
      // What is too long is told already.
      if (vm.length <= LONGEST_NAME) members.push({ name, group, vm: parseName(vm, 'a VM'), after, ...shared });
    }
  }
  await (await reading.digests()).save();
  return { name: parseName(data.lab, 'a lab'), file, platform: data.platform, members, network: data.network };
}

/** What only VMs of this host can have. */
function refuseLocalKeys(data: LabFile, problem: Problem): void {
  const why = `is for VMs of this host, not of ${data.platform}`;
  if (data.network !== undefined) problem(['network'], why);
  for (const [group, vm] of Object.entries(data.vms)) {
    for (const key of ['forwards', 'shares', 'user-data', 'firmware'] as const) {
      const value = vm[key];
      if (value !== undefined && value.length > 0) problem(['vms', group, key], why);
    }
  }
}

/** What all of a count have in common. */
async function sharedParts(
  context: ReadContext,
  { file, content }: { readonly file: HostPath; readonly content: ContentReader },
  vm: LabFileVm,
  path: Path,
  problem: Problem,
): Promise<Omit<Member, 'name' | 'group' | 'vm' | 'after'>> {
  const profile = vm.profile === undefined ? {} : await profileNamed(context, vm.profile, [...path, 'profile'], problem);
  const own = { image: vm.image, roles: typeof vm.roles === 'string' ? [vm.roles] : vm.roles };
  // Image and roles say together which image it is, so one of them takes the place of both.
  const { image, roles = [] } = own.image === undefined && own.roles === undefined ? profile : own;
  const release = vm.release ?? profile.release;
  const userData = vm['user-data'] === undefined ? undefined : await content.text(vm['user-data'], [...path, 'user-data'], problem);
  const disk = vm.disk ?? profile.disk;
  const memory = parseSize(vm.memory ?? profile.memory ?? DEFAULT_MACHINE.memory);
  if (memory < LEAST_MEMORY) problem([...path, 'memory'], `is below ${LEAST_MEMORY / 2 ** 20} MiB`);
  const parts = <T>(texts: readonly string[], key: string, parse: (text: string) => T): T[] =>
    texts.flatMap((text, index) => {
      try {
        return [parse(text)];
      } catch (error) {
        if (!(error instanceof IngotError)) throw error;
        problem([...path, key, index], error.message, error.hint);
        return [];
      }
    });
  const forwards = parts(vm.forwards, 'forwards', parseForward);
  if (vm.count !== undefined && vm.count > 1 && forwards.some(({ host }) => host !== undefined)) {
    problem([...path, 'forwards'], `asks for one port of the host for ${vm.count} VMs`, 'Write the port of the guest alone: each gets a free one of the host.');
  }
  const shares = parts(vm.shares, 'shares', (text) => parseShare(text, hostPath(dirname(file))));
  return {
    image,
    roles,
    release,
    cpus: vm.cpus ?? profile.cpus ?? DEFAULT_MACHINE.cpus,
    memory,
    disk: disk === undefined ? undefined : parseSize(disk),
    firmware: vm.firmware,
    userData,
    forwards,
    shares,
    ready: goalOf(vm.ready),
    timeout: vm.timeout === undefined ? undefined : seconds(vm.timeout),
    files: await content.files(vm.files, [...path, 'files'], problem),
    scripts: await content.scripts(vm.scripts, [...path, 'scripts'], problem),
    source: {
      roles,
      ...(image === undefined ? {} : { image }),
      ...(release === undefined ? {} : { release }),
      ...(vm.firmware === undefined ? {} : { firmware: vm.firmware }),
      ...(userData === undefined ? {} : { userData: hashValue(userData) }),
      ...(shares.length === 0 ? {} : { shares: shares.map(({ host, guest, readOnly }) => `${host}:${guest}${readOnly ? ':ro' : ''}`) }),
    },
  };
}

async function profileNamed(context: ReadContext, name: string, path: Path, problem: Problem): Promise<Profile> {
  try {
    return (await findProfile(context, name)).profile;
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'profile-unknown') throw error;
    problem(path, `there is no profile ${name}`, error.hint);
    return {};
  }
}

function goalOf(ready: LabFileVm['ready']): WaitGoal {
  if (typeof ready === 'string') return { kind: ready };
  if ('port' in ready) return { kind: 'port', port: ready.port };
  return { kind: 'command', argv: typeof ready.command === 'string' ? ['sh', '-c', ready.command] : ready.command };
}

function checkNames(lab: string, names: ReadonlyMap<string, readonly string[]>, problem: Problem): void {
  const seen = new Map<string, string>();
  for (const [group, members] of names) {
    for (const name of members) {
      const other = seen.get(name);
      if (other !== undefined) problem(['vms', group], `makes a VM called ${name}, and so does ${other}`);
      seen.set(name, group);
    }
    if (members.includes('localhost')) problem(['vms', group], 'cannot be called localhost, which every VM is to itself');
    const longest = `${lab}-${members.at(-1) ?? group}`;
    if (longest.length > LONGEST_NAME) problem(['vms', group], `makes a VM called ${longest}, which is longer than ${LONGEST_NAME} characters`);
  }
}

function checkNetwork({ network }: LabFile, members: number, problem: Problem): void {
  if (network === undefined) return;
  const subnet = parseSubnet(network);
  if ('refusal' in subnet) problem(['network'], subnet.refusal, subnet.hint);
  else if (capacity(subnet) < members) problem(['network'], `has room for ${capacity(subnet)} VMs, and there are ${members}`);
}

function labInvalid(file: HostPath, problems: readonly PlacedProblem[], folder: string | undefined): IngotError {
  const placed = placedProblems(problems, folder);
  const sum = placed.length === 1 ? 'a mistake' : `${placed.length} mistakes`;
  return new IngotError('usage', 'lab-invalid', `The lab file ${shownFile(file, folder)} has ${sum}`, { problems: placed });
}
