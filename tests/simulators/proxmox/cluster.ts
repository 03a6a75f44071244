import { GIB, standInBoot, type Boot, type BootRequest, type SimStorage, type SimTask, type SimVm, type SimVolume } from './model.ts';

/** The state of a simulated cluster, and what its tasks do to it. */
export class SimCluster {
  readonly nodes = new Map<string, { online: boolean }>();
  readonly storages = new Map<string, SimStorage>();
  readonly volumes = new Map<string, SimVolume>();
  readonly vms = new Map<number, SimVm>();
  readonly tasks = new Map<string, SimTask>();
  boot: Boot = standInBoot;
  /** Types of storage that pass over the conversion to a base, without a word. */
  unconvertible = new Set(['lvm']);
  /** How a task of a type ends, instead of doing its work; used up by one. */
  readonly failures: { readonly type: string; readonly exit: string; readonly log?: string }[] = [];
  /** How often a task is asked for before it ends. */
  taskPolls = 1;
  /** VMs whose guests do not listen to the power button. */
  readonly deaf = new Set<number>();
  skewSeconds = 0;
  #count = 0;
  #generations = 0;

  constructor(nodes: readonly string[] = ['pve']) {
    for (const node of nodes) this.nodes.set(node, { online: true });
    this.addStorage({ name: 'local', type: 'dir', content: ['iso', 'vztmpl', 'backup', 'import'] });
    this.addStorage({ name: 'local-lvm', type: 'lvmthin', content: ['images', 'rootdir'] });
  }

  addStorage(storage: Partial<SimStorage> & Pick<SimStorage, 'name' | 'type' | 'content'>): void {
    this.storages.set(storage.name, { nodes: [], shared: false, total: 100 * GIB, used: 0, ...storage });
  }

  storageOn(node: string, name: string): SimStorage | undefined {
    const storage = this.storages.get(name);
    return storage === undefined || (storage.nodes.length > 0 && !storage.nodes.includes(node)) ? undefined : storage;
  }

  /** Volumes that are seen on a node. */
  volumesOn(node: string, storage: string): SimVolume[] {
    const shared = this.storages.get(storage)?.shared === true;
    return [...this.volumes.values()].filter((volume) => volume.storage === storage && (shared || volume.node === node));
  }

  /** The key of a volume: on storages of the nodes' own, each node may have one of the same name. */
  key(node: string, volid: string): string {
    const storage = volid.slice(0, volid.indexOf(':'));
    return this.storages.get(storage)?.shared === true ? volid : `${node} ${volid}`;
  }

  addVolume(volume: SimVolume): void {
    this.volumes.set(this.key(volume.node, volume.volid), volume);
  }

  volume(node: string, volid: string): SimVolume | undefined {
    return this.volumes.get(this.key(node, volid));
  }

  dropVolume(node: string, volid: string): void {
    this.volumes.delete(this.key(node, volid));
  }

  /** Numbers that are never given again. */
  generation(): string {
    this.#generations += 1;
    return `generation-${this.#generations}`;
  }

  /** Starts a task; what it does is done when it has been asked for often enough. */
  task(node: string, type: string, id: string, run: SimTask['run'], undo: () => void = () => undefined): string {
    this.#count += 1;
    const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
    const started = Math.floor(Date.now() / 1000) + this.skewSeconds;
    const upid = `UPID:${node}:${hex(1000 + this.#count)}:${hex(this.#count)}:${hex(started)}:${type}:${id}:ingot@pve!test:`;
    this.tasks.set(upid, { upid, node, type, id, log: [`starting ${type} ${id}`], polls: this.taskPolls, exit: undefined, run, undo });
    return upid;
  }

  /** A task is asked for its status: it may end by it. */
  async poll(task: SimTask): Promise<void> {
    if (task.exit !== undefined) return;
    if (task.polls > 0) {
      task.polls -= 1;
      task.log.push(
        `transferred ${this.taskPolls - task.polls} of ${this.taskPolls + 1} (${Math.round((100 * (this.taskPolls - task.polls)) / (this.taskPolls + 1))}.00%)`,
      );
      return;
    }
    await this.finish(task);
  }

  async finish(task: SimTask): Promise<void> {
    if (task.exit !== undefined) return;
    const at = this.failures.findIndex(({ type }) => type === task.type);
    const [failure] = at === -1 ? [] : this.failures.splice(at, 1);
    if (failure !== undefined) {
      if (failure.log !== undefined) task.log.push(failure.log);
      // A success that warns has done its work all the same.
      if (failure.exit.startsWith('WARNINGS')) await task.run();
      else task.undo();
      task.exit = failure.exit;
      task.log.push(failure.exit.startsWith('WARNINGS') ? `TASK ${failure.exit}` : `TASK ERROR: ${failure.exit}`);
      return;
    }
    const wrong = await task.run();
    if (wrong !== undefined) task.undo();
    task.exit = wrong ?? 'OK';
    task.log.push(wrong === undefined ? 'TASK OK' : `TASK ERROR: ${wrong}`);
  }

  /** Everything that runs ends, as time would have it. */
  async settle(): Promise<void> {
    for (const task of this.tasks.values()) await this.finish(task);
  }

  bootRequest(vm: SimVm): BootRequest {
    const { config } = vm;
    const entries = Object.entries(config);
    const disks = entries.flatMap(([device, value]) => {
      if (!/^(?:scsi|virtio|sata|ide)\d+$/.test(device) || value.includes('media=cdrom')) return [];
      const found = this.volume(vm.node, value.split(',')[0] ?? '');
      const grown = Number(/size=(\d+)/.exec(value)?.[1] ?? 0);
      return found === undefined ? [] : [{ device, file: found.file, size: Math.max(found.size, grown) }];
    });
    return {
      vmid: vm.vmid,
      name: config['name'] ?? `VM-${vm.vmid}`,
      instance: config['vmgenid'] ?? '',
      disks,
      cloudInit: {
        device: entries.find(([, value]) => value.includes('cloudinit'))?.[0],
        user: config['ciuser'] ?? '',
        sshKeys: decodeURIComponent(config['sshkeys'] ?? ''),
        ipConfig: config['ipconfig0'] ?? '',
      },
      controller: config['scsihw'] ?? 'lsi',
      machine: config['machine'] ?? 'pc',
      bios: config['bios'] ?? 'seabios',
      efi: config['efidisk0'],
      tpm: config['tpmstate0'],
      cpu: config['cpu'] ?? 'kvm64',
      cores: Number(config['cores'] ?? 1),
      memory: Number(config['memory'] ?? 512),
      nics: entries.flatMap(([name, value]) => (/^net\d+$/.test(name) ? [value] : [])),
      serial: config['serial0'] === 'socket',
    };
  }

  /** What is there, in a form that two clusters can be compared by: without numbers that are given as it happens. */
  summary(): { readonly vms: string[]; readonly volumes: string[] } {
    const name = (vmid: string): string => this.vms.get(Number(vmid))?.config['name'] ?? 'nobody';
    return {
      vms: [...this.vms.values()]
        .map(
          ({ node, config, running }) =>
            `${node} ${config['name'] ?? ''} template=${config['template'] ?? 0} running=${running} tags=${config['tags'] ?? ''} lock=${config['lock'] ?? ''}`,
        )
        .toSorted(),
      volumes: [...this.volumes.values()]
        .map(
          ({ node, volid }) => `${node} ${volid.replace(/\b(base|vm)-(\d+)-/, (_, kind: string, id: string) => `${kind}-${name(id)}-`).replace(/:\d+\//, ':')}`,
        )
        .toSorted(),
    };
  }
}
