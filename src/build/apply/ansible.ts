import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IngotError } from '../../base/errors.ts';
import type { Argv, CommandResult } from '../../base/process.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import type { FamilyName } from '../../catalog/families.ts';
import { requireTools } from '../../doctor/install.ts';
import { familyOf } from '../../families/families.ts';
import type { ProgramRecipe } from '../../plan/layers.ts';
import { ANY_EXIT_CODE } from '../../platforms/local/ssh.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { groupsOf, inventory } from './ansible-inventory.ts';
import { startRelay } from './ansible-relay.ts';
import type { ApplyContext } from './apply.ts';
import { stage } from './copy.ts';
import { withNetwork } from './network.ts';
import { secretEnvironment } from './program.ts';

declare const INGOT_ANSIBLE_CONNECTION: string | undefined;

export type AnsibleStep = Extract<ProgramRecipe['step'], { kind: 'ansible' }>;

/** Where ansible runs commands: a workspace, or a guest. */
export interface AnsibleTarget {
  /** Runs a shell command as root; any exit code is an answer. */
  run(command: string, stdin: string): Promise<CommandResult>;
  /** A folder there for ansible's modules, which is gone afterwards. */
  readonly temporary: string;
}

const TAIL_LINES = 20;

/** Runs a playbook of the user against the workspace. Throws `step-failed` with ansible's last lines, `python-missing`, `playbook-idle`. */
export async function applyAnsible(
  apply: ApplyContext,
  { root }: Workspace,
  { step, family }: { readonly step: AnsibleStep; readonly family: FamilyName },
): Promise<void> {
  // Each command is a sandbox of its own; what one leaves in /tmp is there for the next.
  const bind = { '/tmp': await root.scratchFolder('tmp', '1777'), '/run': await root.scratchFolder('run', '0755') };
  await root.writeFiles(familyOf(family).quiet);
  // systemd's tools, and ansible's module for it, then change files alone and leave starting to the first boot.
  const env = { SYSTEMD_OFFLINE: '1' };
  const { network, timeout } = step;
  // Ansible takes a first process that is a shell for a container's, and looks for systemd's files; any other it takes for the service manager.
  const options = { env, network, timeout, bind, accept: ANY_EXIT_CODE, quiet: true, first: true };
  const work = (): Promise<void> =>
    runPlaybook(apply, step, {
      run: (command, stdin) => root.run(['/bin/sh', '-c', command], { ...options, stdin }),
      temporary: '/tmp/.ansible',
    });
  await (network ? withNetwork(apply.place, root, work) : work());
}

/** Runs the playbook of a step against a target: ansible on this host, its commands there. */
export async function runPlaybook(apply: ApplyContext, step: AnsibleStep, target: AnsibleTarget): Promise<void> {
  const { context, scratch } = apply;
  const { host } = context;
  await requireTools(context, ['ansible-playbook']);
  const python = (await target.run('command -v python3', '')).stdout.trim();
  if (python === '') {
    throw new IngotError('usage', 'python-missing', 'Ansible needs Python in the image, and there is none', {
      hint: 'Add `packages: [python3]` to the template.',
    });
  }
  const folder = hostPath(join(scratch, 'ansible'));
  const files = await writeFiles(apply, step, folder, python);
  await using relay = await startRelay(host, hostPath(join(folder, 'socket')), (command, stdin) => target.run(command, stdin));
  const argv: Argv = ['ansible-playbook', '--inventory', files.inventory, '--extra-vars', `@${files.variables}`, join(files.tree, step.playbook)];
  const lines: string[] = [];
  const { exitCode } = await host.processes.run(await sandboxed(apply, argv, { folder, network: step.network, cwd: files.tree }), {
    env: { ...environment(step, folder, files, target), ...(await secretEnvironment(apply, step)) },
    timeout: step.timeout,
    signal: context.signal,
    accept: ANY_EXIT_CODE,
    onLine: (line, stream) => {
      lines.push(line);
      apply.output(`${line}\n`, stream);
    },
  });
  if (relay.failure() !== undefined) throw relay.failure();
  if (exitCode !== 0) throw failure(step, exitCode, lines);
  if (!lines.some((line) => /^localhost\s+: ok=/.test(line))) {
    throw new IngotError('usage', 'playbook-idle', `${step.playbook} did nothing: none of its plays is for this image`, {
      hint: 'Let a play be for all hosts (`hosts: all`), or name a group.',
      detail: lines.slice(-TAIL_LINES).join('\n'),
    });
  }
}

interface AnsibleFiles {
  readonly tree: HostPath;
  readonly inventory: HostPath;
  readonly variables: HostPath;
  readonly plugins: HostPath;
}

/** All that ansible reads, in a folder of ours: the user's files as they were planned, and what ingot adds. */
async function writeFiles({ context }: ApplyContext, step: AnsibleStep, folder: HostPath, python: string): Promise<AnsibleFiles> {
  const { files } = context.host;
  const at = (name: string): HostPath => hostPath(join(folder, name));
  const { tree } = step;
  const outside = tree.entries.find((entry) => entry.type === 'link' && entry.target.startsWith('/'));
  if (outside !== undefined) {
    throw new IngotError('usage', 'link-outside', `${outside.path} beside the playbook is a link out of its folder`, {
      hint: 'Copy what it points to into the folder: only what lies there is part of the template.',
    });
  }
  await files.makeDirectory(folder, 0o700);
  await stage(files, at('tree'), tree.entries, ({ path }) => ({ from: join(tree.root, path), to: join(at('tree'), path) }));
  const playbook = Buffer.from(await files.read(join(at('tree'), step.playbook))).toString('utf8');
  await files.write(at('inventory.json'), JSON.stringify(inventory(await groupsOf(playbook), python)), { mode: 0o600 });
  // Said as an extra variable, the connection holds for every host: no play, task or delegation reaches another machine, or this one.
  await files.write(at('variables.json'), JSON.stringify({ ...step.variables, ansible_connection: 'ingot' }), { mode: 0o600 });
  await files.write(at('ansible.cfg'), '');
  await files.makeDirectory(at('plugins'));
  await files.write(join(at('plugins'), 'ingot.py'), await files.read(connectionPlugin()));
  return { tree: at('tree'), inventory: at('inventory.json'), variables: at('variables.json'), plugins: at('plugins') };
}

/** The plugin's file: beside the bundle, else beside this source. */
function connectionPlugin(): string {
  const relative = typeof INGOT_ANSIBLE_CONNECTION === 'undefined' ? './ansible-connection.py' : INGOT_ANSIBLE_CONNECTION;
  return fileURLToPath(new URL(relative, import.meta.url));
}

function environment(step: AnsibleStep, folder: HostPath, files: AnsibleFiles, target: AnsibleTarget): Record<string, string> {
  const own = step.tree.entries.some(({ path }) => path === 'ansible.cfg');
  return {
    HOME: '/tmp',
    INGOT_SOCKET: join(folder, 'socket'),
    // Configuration is that beside the playbook, which is part of the layer's key, and no other.
    ANSIBLE_CONFIG: own ? join(files.tree, 'ansible.cfg') : join(folder, 'ansible.cfg'),
    ...(own ? {} : { ANSIBLE_COLLECTIONS_PATH: join(files.tree, 'collections'), ANSIBLE_ROLES_PATH: join(files.tree, 'roles') }),
    ANSIBLE_CONNECTION_PLUGINS: files.plugins,
    ANSIBLE_LOCAL_TEMP: '/tmp/ansible-local',
    ANSIBLE_REMOTE_TMP: target.temporary,
    ANSIBLE_PIPELINING: 'true',
    ANSIBLE_RETRY_FILES_ENABLED: 'false',
    ANSIBLE_NOCOLOR: 'true',
    ANSIBLE_NOCOWS: 'true',
    ANSIBLE_STDOUT_CALLBACK: 'default',
    ANSIBLE_CALLBACK_RESULT_FORMAT: 'yaml',
    ANSIBLE_DEPRECATION_WARNINGS: 'false',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

/** What ansible sees of this host: programs and their configuration, and no folder of a user. */
const VISIBLE = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc', '/opt', '/run/systemd/resolve'];

/**
 * The command line that keeps ansible itself away from this host, where the kernel allows it: lookups and tasks of the controller can read what is
 * part of the layer's key, write nothing, and have the network only where the step has. Elsewhere than on Linux there is no such thing.
 */
async function sandboxed({ context }: ApplyContext, argv: Argv, options: { folder: HostPath; network: boolean; cwd: HostPath }): Promise<Argv> {
  const { machine, processes } = context.host;
  const plain: Argv = ['env', `--chdir=${options.cwd}`, ...argv];
  if (machine.platform !== 'linux') return plain;
  const box: Argv = [
    'bwrap',
    ...['--die-with-parent', '--unshare-pid', '--unshare-ipc', ...(options.network ? [] : ['--unshare-net'])],
    ...VISIBLE.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp'],
    ...['--ro-bind', options.folder, options.folder, '--chdir', options.cwd, '--cap-drop', 'ALL', '--'],
  ];
  const probe = await processes.run([...box, 'true'], { accept: ANY_EXIT_CODE });
  if (probe.exitCode === 0) return [...box, ...argv];
  context.events.message('warn', `Ansible runs without a sandbox of its own, since this host does not allow one: ${probe.stderr.trim()}`);
  return plain;
}

function failure({ playbook }: AnsibleStep, exitCode: number, lines: readonly string[]): IngotError {
  const at = lines.findLastIndex((line) => /^(fatal|failed): \[/.test(line));
  const task = lines.slice(0, Math.max(at, 0)).findLast((line) => /^(TASK|RUNNING HANDLER) \[/.test(line));
  const name = task === undefined ? undefined : /\[(.*)\]/.exec(task)?.[1];
  return new IngotError(
    'command',
    'command-failed',
    name === undefined ? `ansible-playbook ${playbook} ended with exit code ${exitCode}` : `the task "${name}" of ${playbook} failed`,
    { detail: lines.slice(-TAIL_LINES).join('\n') },
  );
}
