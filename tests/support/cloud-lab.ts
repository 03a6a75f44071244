import { Events, type Event } from '../../src/base/events.ts';
import type { Host } from '../../src/base/host.ts';
import { openSecrets } from '../../src/base/secrets.ts';
import { parseName } from '../../src/base/types.ts';
import type { MakeTransport } from '../../src/platforms/cloudstack/open.ts';
import { realTransport } from '../../src/platforms/cloudstack/open.ts';
import { openCloudStack } from '../../src/platforms/cloudstack/platform.ts';
import { joinKeys, type CloudStackTarget } from '../../src/platforms/cloudstack/target.ts';
import type { DiskWish, Platform, PlatformContext, PublishedImage } from '../../src/platforms/platform.ts';
import { publishedImage } from '../../src/publish/image.ts';
import { publish, type PublishRequest, type PublishResult } from '../../src/publish/publish.ts';
import { addTarget, targetSecret } from '../../src/publish/targets.ts';
import type { Image } from '../../src/store/model.ts';
import { CloudSimulator, type SimulatorOptions } from '../simulators/cloudstack/server.ts';
import { instantClock, sampleDisk } from './publish-lab.ts';
import { putSampleImage, sampleGate, sampleHome, type SampleHome } from './sample-images.ts';

/** What the pretended guests answer over SSH. */
export interface PretendedGuest {
  exitCode: number;
  /** The size of its root file system in GiB. */
  root: number;
  /** Its name, where it is not the one that it was given. */
  hostname: string | undefined;
  /** Whether a reset sets its password. */
  takesPasswords: boolean;
  /** What it answers to a script. */
  scripts: (script: string) => string;
  readonly calls: string[];
}

export interface CloudLab extends AsyncDisposable {
  readonly at: SampleHome;
  readonly simulator: CloudSimulator;
  readonly target: CloudStackTarget;
  readonly messages: string[];
  readonly guest: PretendedGuest;
  /** What was made, in order. */
  readonly exported: DiskWish[];
  context(signal?: AbortSignal): PlatformContext;
  open(options?: { readonly transport?: (real: MakeTransport) => MakeTransport; readonly signal?: AbortSignal }): Promise<Platform>;
  image(name?: string, content?: string): Promise<Image>;
  publish(image: Image, change?: Partial<PublishRequest>, platform?: Platform): Promise<PublishResult>;
}

/** `waits`: the client really waits between its questions, as it does for users; tests pass over that. */
export interface CloudLabOptions extends SimulatorOptions {
  readonly defaults?: CloudStackTarget['defaults'];
  readonly waits?: boolean;
}

/** A home with a target that is a simulator, whose programs are pretended. */
export async function cloudLab(options: CloudLabOptions = {}): Promise<CloudLab> {
  await using stack = new AsyncDisposableStack();
  const at = stack.use(await sampleHome());
  const simulator = stack.use(await CloudSimulator.start(options));
  const messages: string[] = [];
  let keys = 0;
  const guest: PretendedGuest = { exitCode: 0, root: 2, hostname: undefined, takesPasswords: true, scripts: () => '', calls: [] };
  const answers = pretend(simulator, guest);
  const host: Host = {
    ...at.host,
    clock: options.waits === true ? at.host.clock : instantClock(at.host.clock),
    processes: {
      ...at.host.processes,
      async run(argv, options) {
        if (argv[0] === 'ssh-keygen') {
          const file = argv[argv.indexOf('-f') + 1] ?? '';
          await at.host.files.write(file, 'a private key', { mode: 0o600 });
          keys += 1;
          await at.host.files.write(`${file}.pub`, `ssh-ed25519 ${Buffer.from(`key ${keys}`).toString('base64')} ingot\n`);
        }
        if (argv[0] !== 'ssh') return { stdout: '', stderr: '', exitCode: 0 };
        const [address = '', , ...command] = argv.slice(argv.indexOf('--') - 1);
        guest.calls.push(`${address} ${command.join(' ')}`);
        const stdout = typeof options?.stdin === 'string' ? guest.scripts(options.stdin) : answers(address, command.join(' '));
        return { stdout, stderr: guest.exitCode === 0 ? '' : 'Permission denied', exitCode: guest.exitCode };
      },
    },
  };
  const target: CloudStackTarget = { platform: 'cloudstack', name: 'prod', url: simulator.url, trust: { kind: 'system' }, defaults: options.defaults ?? {} };
  await addTarget({ host, home: at.home }, target, joinKeys(simulator.keys), { replace: false });
  const exported: DiskWish[] = [];
  const undo = stack.move();
  const sink = (event: Event): void => void (event.type === 'message' && messages.push(event.text));
  const lab: CloudLab = {
    at,
    simulator,
    target,
    messages,
    guest,
    exported,
    context: (signal = new AbortController().signal) => ({
      host,
      home: at.home,
      events: new Events('test', sink, host),
      signal,
      consent: () => Promise.resolve(true),
    }),
    async open({ transport = (real: MakeTransport): MakeTransport => real, signal } = {}) {
      return await openCloudStack(lab.context(signal), target, targetSecret(target), transport(realTransport));
    },
    async image(name = 'web', content = 'first') {
      const image = await putSampleImage(at.store, at.home, name, ['latest', content], [`base of ${name}`, `${name} ${content}`]);
      await at.store.addGate(image, sampleGate('passed'));
      return await at.store.resolve(`${parseName(name, 'an image')}:${content}`);
    },
    async publish(image, change = {}, platform) {
      await using opened = platform === undefined ? await lab.open() : undefined;
      const using = platform ?? opened;
      if (using === undefined) throw new Error('no platform');
      return await publish(lab.context(), {
        platform: using,
        target: 'cloudstack:prod',
        image: withPasswords(publishedImage(image, image.references[0] ?? image.digest, 'cloudstack:prod', { unproven: false })),
        places: { nodes: [], allNodes: false },
        machine: {},
        size: { virtual: 2 ** 30, file: 2 ** 20 },
        exportDisk: async (wish) => {
          exported.push(wish);
          return await sampleDisk(at, image, wish.format);
        },
        ssh: true,
        promote: true,
        keep: 3,
        ...change,
      });
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
  // It remembers the answer of the secret store, which reads a file only once for each.
  await openSecrets({ host, home: at.home }).names();
  return lab;
}

/** The image as if its last layer were the role that fetches passwords. */
function withPasswords(image: PublishedImage): PublishedImage {
  const layers = image.details.layers.map((layer, index, all) => (index === all.length - 1 ? { ...layer, kind: 'role', name: 'cloudstack' } : layer));
  return { ...image, details: { ...image.details, layers } };
}

/** What a guest says to the commands of a trial. */
function pretend({ cloud }: CloudSimulator, guest: PretendedGuest): (address: string, command: string) => string {
  let boots = 0;
  return (address, command) => {
    const vm = [...cloud.vms.values()].find((one) => one.address === address);
    if (command === 'hostname') return `${guest.hostname ?? vm?.name ?? ''}\n`;
    if (command.startsWith('df ')) return `1K-blocks\n${guest.root * 1024 * 1024}\n`;
    if (command.startsWith('cat ')) return `boot-${(boots += 1)}\n`;
    if (command.includes('getent shadow')) return `debian:${guest.takesPasswords ? `$y$${vm?.password ?? ''}` : '!'}:20000:0:99999:7:::\n`;
    return '';
  };
}
