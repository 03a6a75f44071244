import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { download, urlFault } from './download.ts';
import {
  GIB,
  SimRefusal,
  standInBoot,
  type Boot,
  type SimDiskSnapshot,
  type SimFirewallRule,
  type SimForward,
  type SimJob,
  type SimKubernetesVersion,
  type SimNetwork,
  type SimOffering,
  type SimPublicAddress,
  type SimRow,
  type SimTemplate,
  type SimVm,
  type SimZone,
} from './model.ts';

/** Milliseconds that an answer waits for what is quick. */
const PATIENCE = 50;

export type Values = Readonly<Record<string, string>>;

/** The state of a simulated cloud, and what its commands do to it. */
export class SimCloud {
  readonly zones = new Map<string, SimZone>();
  readonly templates = new Map<string, SimTemplate>();
  readonly vms = new Map<string, SimVm>();
  readonly jobs = new Map<string, SimJob>();
  readonly keyPairs = new Map<string, string>();
  readonly kubernetesVersions = new Map<string, SimKubernetesVersion>();
  /** ISO images, which are like templates. */
  readonly isos = new Map<string, SimTemplate>();
  /** Snapshots of disks. */
  readonly diskSnapshots = new Map<string, SimDiskSnapshot>();
  /** What secondary storage VMs serve: a template in a zone, by the name in its address. */
  readonly served = new Map<string, { readonly template: string; readonly zone: string }>();
  readonly osTypes = [
    'Debian GNU/Linux 11 (64-bit)',
    'Debian GNU/Linux 12 (64-bit)',
    'CentOS 7',
    'AlmaLinux 9',
    'Ubuntu 22.04 LTS',
    'Other Linux (64-bit)',
    'Other (64-bit)',
  ].map((description) => ({ id: randomUUID(), description }));
  readonly offerings: SimOffering[] = [
    { id: randomUUID(), name: 'small', cpunumber: 1, memory: 1024, iscustomized: false },
    { id: randomUUID(), name: 'large', cpunumber: 8, memory: 16_384, iscustomized: false },
    { id: randomUUID(), name: 'tiny', cpunumber: 1, memory: 128, iscustomized: false },
  ];
  readonly networks = new Map<string, SimNetwork>();
  readonly addresses: SimPublicAddress[] = [];
  readonly forwards = new Map<string, SimForward>();
  readonly firewall = new Map<string, SimFirewallRule>();
  /** Hosts by their names, which administrators see. */
  readonly hosts = new Map(['h1', 'h2'].map((name) => [name, randomUUID()]));
  /** Instances whose guests do not listen. */
  readonly deaf = new Set<string>();
  boot: Boot = standInBoot;
  /** How a job of a command ends, instead of doing its work; used up by one. */
  readonly failures: { readonly command: string; readonly code?: number; readonly text: string }[] = [];
  /** How often a job, or a list during a download, is asked for before it ends. */
  polls = 1;
  skewSeconds = 0;
  allowLoopback = true;
  templateLimit = 20;
  vmLimit = 20;
  /** Where bytes are kept. */
  folder = '';
  #addresses = 9;
  #files = 0;

  constructor(names: readonly string[] = ['z1']) {
    for (const name of names) this.addZone(name);
  }

  addZone(name: string, change: Partial<SimZone> = {}): SimZone {
    const zone: SimZone = {
      id: randomUUID(),
      name,
      enabled: true,
      hypervisors: ['KVM'],
      ssvm: 'Running',
      storeSize: 1000 * GIB,
      storeUsed: 100 * GIB,
      ...change,
    };
    this.zones.set(zone.id, zone);
    this.addNetwork('lab', zone, 'Shared');
    return zone;
  }

  /** An isolated one has a public address. */
  addNetwork(name: string, zone: SimZone, type: SimNetwork['type']): SimNetwork {
    const network: SimNetwork = { id: randomUUID(), name, zoneid: zone.id, type, netmask: '255.255.255.0' };
    this.networks.set(network.id, network);
    if (type === 'Isolated') this.addresses.push({ id: randomUUID(), ipaddress: `198.51.100.${this.addresses.length + 1}`, network: network.id });
    return network;
  }

  zoneNamed(name: string): SimZone {
    const found = [...this.zones.values()].find((zone) => zone.name === name);
    if (found === undefined) throw new Error(`no zone ${name}`);
    return found;
  }

  zone(id: string): SimZone {
    const found = this.zones.get(id);
    if (found === undefined)
      throw new SimRefusal(431, `Unable to execute API command due to invalid value. Invalid parameter zoneid value=${id}: entity does not exist`);
    return found;
  }

  template(id: string): SimTemplate {
    const found = this.templates.get(id);
    if (found === undefined) throw new SimRefusal(431, `Invalid parameter id value=${id} due to incorrect long value format, or entity does not exist`);
    return found;
  }

  vm(id: string): SimVm {
    const found = this.vms.get(id);
    if (found === undefined) throw new SimRefusal(431, `Invalid parameter id value=${id} due to incorrect long value format, or entity does not exist`);
    return found;
  }

  /** Starts a job; what it does is done when it has been asked for often enough. */
  job(command: string, run: SimJob['run'], undo?: () => void): string {
    const id = randomUUID();
    this.jobs.set(id, { id, command, polls: this.polls, status: 0, result: undefined, run, undo });
    return id;
  }

  async poll(job: SimJob): Promise<void> {
    if (job.status !== 0) return;
    if (job.polls > 0) job.polls -= 1;
    // What takes long goes on, and the question is answered meanwhile.
    else await Promise.race([this.finish(job), sleep(PATIENCE, undefined, { ref: false })]);
  }

  async finish(job: SimJob): Promise<void> {
    if (job.status !== 0) return;
    job.work ??= this.#work(job);
    await job.work;
  }

  async #work(job: SimJob): Promise<void> {
    const at = this.failures.findIndex(({ command }) => command === job.command);
    const [failure] = at === -1 ? [] : this.failures.splice(at, 1);
    try {
      if (failure !== undefined) throw new SimRefusal(failure.code ?? 530, failure.text);
      const result = await job.run();
      // It may have been cancelled meanwhile.
      if (job.status !== 0) return;
      job.result = result;
      job.status = 1;
    } catch (error) {
      job.undo?.();
      if (job.status !== 0) return;
      job.status = 2;
      job.result = { errorcode: error instanceof SimRefusal ? error.code : 530, errortext: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The management server is started again: what runs is cancelled. Half of what was at work has done it by then. */
  restart(done: boolean): void {
    for (const job of this.jobs.values()) {
      if (job.status !== 0) continue;
      if (done) void job.run().catch(() => undefined);
      job.status = 2;
      job.result = { errorcode: 530, errortext: 'Job is cancelled because of management server restart' };
    }
    for (const vm of this.vms.values()) if (vm.state === 'Starting' && !done) vm.state = 'Stopped';
  }

  /** Everything that runs ends, as time would have it. */
  async settle(): Promise<void> {
    for (const job of this.jobs.values()) await this.finish(job);
    for (const template of this.fetched()) for (const row of template.rows.values()) await row.work;
  }

  /** All that is brought to zones. */
  fetched(): SimTemplate[] {
    return [...this.templates.values(), ...this.isos.values()];
  }

  newTemplate(values: Values, url: string | undefined): SimTemplate {
    if (this.templates.size >= this.templateLimit)
      throw new SimRefusal(535, "Maximum number of resources of type 'template' for account name=ops in domain has been exceeded.");
    const flag = (name: string): boolean => values[name] === 'true';
    const details = Object.fromEntries(
      // The first index alone is read.
      Object.entries(values).flatMap(([key, value]) => (key.startsWith('details[0].') ? [[key.slice('details[0].'.length), value]] : [])),
    );
    const template: SimTemplate = {
      id: randomUUID(),
      name: values['name'] ?? '',
      displaytext: values['displaytext'] ?? values['name'] ?? '',
      format: values['format'] ?? '',
      hypervisor: values['hypervisor'] ?? '',
      checksum: values['checksum'] ?? '',
      ostypeid: values['ostypeid'],
      url,
      fields: {
        passwordenabled: flag('passwordenabled'),
        sshkeyenabled: flag('sshkeyenabled'),
        isdynamicallyscalable: flag('isdynamicallyscalable'),
        isextractable: flag('isextractable'),
        forcks: flag('forcks'),
        requireshvm: values['requireshvm'] !== 'false',
      },
      details,
      ispublic: flag('ispublic'),
      isfeatured: flag('isfeatured'),
      crossZones: values['zoneids'] === '-1',
      tags: new Map(),
      rows: new Map(),
      created: new Date().toISOString(),
    };
    this.templates.set(template.id, template);
    return template;
  }

  /** Zones that are disabled, without a working SSVM or full get nothing, and nobody is told. */
  takes(zone: SimZone): boolean {
    return zone.enabled && zone.storeUsed / zone.storeSize < 0.9;
  }

  newRow(template: SimTemplate, zoneid: string, status: string): SimRow {
    const row: SimRow = { zoneid, ready: false, failed: false, status, percent: 0, file: undefined, work: undefined, polls: this.polls };
    template.rows.set(zoneid, row);
    return row;
  }

  startDownload(template: SimTemplate, row: SimRow): void {
    const zone = this.zone(row.zoneid);
    const { url } = template;
    if (zone.ssvm !== 'Running' || url === undefined) return;
    const fault = urlFault(url, template.format, this.allowLoopback);
    if (fault !== undefined) throw new SimRefusal(431, fault);
    row.work = this.#fetch(template, row, zone, url);
  }

  async #fetch(template: SimTemplate, row: SimRow, zone: SimZone, url: string): Promise<void> {
    row.status = '0% Downloaded';
    if (zone.stallsAt !== undefined) {
      row.percent = zone.stallsAt;
      row.status = `${zone.stallsAt}% Downloaded`;
      return;
    }
    this.#files += 1;
    const file = join(this.folder, `${template.id}-${this.#files}`);
    try {
      if (zone.failsWith !== undefined) throw new Error(zone.failsWith);
      const size = await download(url, file, template.checksum, (percent) => {
        row.percent = percent;
        row.status = `${percent}% Downloaded`;
      });
      zone.storeUsed += size;
      this.arrived(row, file);
    } catch (error) {
      row.failed = true;
      row.status = error instanceof Error ? error.message : String(error);
    }
  }

  arrived(row: SimRow, file: string): void {
    row.file = file;
    row.percent = 100;
    row.ready = true;
    row.status = 'Download Complete';
  }

  /** A list is asked for: what runs goes on, whether or not somebody asks for it, and its end is waited for when it was asked for often enough. */
  async advance(): Promise<void> {
    for (const job of this.jobs.values()) await this.poll(job);
    for (const template of this.fetched()) {
      for (const row of template.rows.values()) {
        if (row.work === undefined) continue;
        if (row.polls > 0) row.polls -= 1;
        else {
          await row.work;
          row.work = undefined;
        }
      }
    }
  }

  /** Behind address translation, one that no host of a test is beside. */
  nextAddress(network: string | undefined): string {
    this.#addresses += 1;
    return `${this.networks.get(network ?? '')?.type === 'Isolated' ? '10.77.77' : '192.0.2'}.${this.#addresses}`;
  }

  nextFile(): string {
    this.#files += 1;
    return join(this.folder, `upload-${this.#files}`);
  }

  async bootVm(vm: SimVm): Promise<void> {
    const template = this.template(vm.templateid);
    const file = template.rows.get(vm.zoneid)?.file ?? '';
    const { boottype, bootmode, userdata } = vm.parameters;
    vm.disk ??= Number(vm.parameters['rootdisksize'] ?? 1);
    vm.guest = await this.boot({
      id: vm.id,
      name: vm.name,
      hypervisor: template.hypervisor,
      format: template.format,
      file,
      cpus: vm.cpus,
      memory: vm.memory,
      rootDisk: vm.parameters['rootdisksize'] === undefined ? undefined : vm.disk,
      bootType: boottype,
      bootMode: bootmode,
      details: template.details,
      metadata: {
        hostname: vm.name,
        publicKeys: vm.keypairs.map((name) => this.keyPairs.get(name) ?? '').join('\n'),
        userData: userdata,
        password: vm.password,
      },
    });
  }

  /** The tags of whatever has an identifier. */
  tagsOf(id: string): Map<string, string> {
    const found = this.templates.get(id) ?? this.vms.get(id) ?? this.forwards.get(id);
    if (found === undefined) throw new SimRefusal(431, `Invalid parameter resourceids value=${id}: entity does not exist`);
    return found.tags;
  }

  /** What is there, in a form that two clouds can be compared by: without identifiers. */
  summary(): { readonly templates: string[]; readonly vms: string[]; readonly keyPairs: string[]; readonly rules: string[] } {
    const zoneName = (id: string): string => this.zones.get(id)?.name ?? id;
    return {
      templates: [...this.templates.values()]
        .flatMap((template) =>
          [...template.rows.values()].map(
            (row) =>
              `${template.name} in ${zoneName(row.zoneid)} ready=${row.ready} public=${template.ispublic} featured=${template.isfeatured} ${[...template.tags]
                .map(([key, value]) => `${key}=${value}`)
                .toSorted()
                .join(' ')}`,
          ),
        )
        .toSorted(),
      vms: [...this.vms.values()].map(({ name, zoneid, state }) => `${name} in ${zoneName(zoneid)} ${state}`).toSorted(),
      // Those of users' own keys are shared, and stay.
      keyPairs: [...this.keyPairs.keys()].filter((name) => !/^ingot-[0-9a-f]{12}$/.test(name)).toSorted(),
      rules: [
        ...[...this.forwards.values()].map(({ publicport, vm }) => `${publicport} -> ${this.vms.get(vm)?.name ?? 'nothing'}`),
        ...[...this.firewall.values()].map(({ port, cidrlist }) => `${cidrlist} -> ${port}`),
      ].toSorted(),
    };
  }
}
