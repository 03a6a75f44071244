import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Events, type Event } from '../../src/base/events.ts';
import type { Clock, Host } from '../../src/base/host.ts';
import { openSecrets } from '../../src/base/secrets.ts';
import { hostPath, parseName } from '../../src/base/types.ts';
import type { ExportedDisk, Platform, PlatformContext, PublishedImage } from '../../src/platforms/platform.ts';
import { httpsTransport, type Transport } from '../../src/platforms/transport.ts';
import { openProxmox, type ProxmoxPlatform } from '../../src/platforms/proxmox/platform.ts';
import type { ProxmoxTarget } from '../../src/platforms/proxmox/target.ts';
import { publishedImage } from '../../src/publish/image.ts';
import { publish, type PublishRequest, type PublishResult } from '../../src/publish/publish.ts';
import { addTarget, targetSecret } from '../../src/publish/targets.ts';
import type { Image } from '../../src/store/model.ts';
import { Simulator, type SimulatorOptions } from '../simulators/proxmox/server.ts';
import { putSampleImage, sampleGate, sampleHome, type SampleHome } from './sample-images.ts';

/** A clock that never waits: sleeping moves it on. */
export function instantClock(base: Clock): Clock {
  let slept = 0;
  return {
    now: () => base.now(),
    monotonic: () => base.monotonic() + slept * 1000,
    async sleep(seconds, signal) {
      signal?.throwIfAborted();
      slept += seconds;
      await setImmediate();
    },
  };
}

export interface PublishLab extends AsyncDisposable {
  readonly at: SampleHome;
  readonly simulator: Simulator;
  readonly target: ProxmoxTarget;
  readonly messages: string[];
  /** What ssh was called with; it answers with this exit code, and to a script with what this makes of it. */
  readonly ssh: { readonly calls: string[]; exitCode: number; scripts: (script: string) => string };
  /** How often the flat disk was made. */
  readonly exports: () => number;
  /** Whether a question is agreed to. */
  agrees: boolean;
  context(signal?: AbortSignal): PlatformContext;
  open(options?: { readonly transport?: (real: Transport) => Transport; readonly signal?: AbortSignal }): Promise<ProxmoxPlatform>;
  image(name?: string, content?: string): Promise<Image>;
  publish(image: Image, change?: Partial<PublishRequest>, platform?: Platform): Promise<PublishResult>;
}

/** A home with a target that is a simulator, whose programs are pretended. */
export async function publishLab(options: SimulatorOptions = {}): Promise<PublishLab> {
  await using stack = new AsyncDisposableStack();
  const at = stack.use(await sampleHome());
  const simulator = stack.use(await Simulator.start(options));
  const messages: string[] = [];
  const ssh = { calls: [] as string[], exitCode: 0, scripts: (_script: string): string => '' };
  const host: Host = {
    ...at.host,
    clock: instantClock(at.host.clock),
    processes: {
      ...at.host.processes,
      async run(argv, options) {
        if (argv[0] === 'ssh-keygen') {
          const file = argv[argv.indexOf('-f') + 1] ?? '';
          await at.host.files.write(file, 'a private key', { mode: 0o600 });
          await at.host.files.write(`${file}.pub`, 'ssh-ed25519 AAAA+/= ingot\n');
        }
        if (argv[0] === 'ssh') ssh.calls.push(argv.slice(argv.indexOf('--') - 1).join(' '));
        const stdout = argv[0] === 'ssh' && typeof options?.stdin === 'string' ? ssh.scripts(options.stdin) : '';
        return { stdout, stderr: ssh.exitCode === 0 ? '' : 'Permission denied', exitCode: argv[0] === 'ssh' ? ssh.exitCode : 0 };
      },
    },
  };
  const target: ProxmoxTarget = {
    platform: 'proxmox',
    name: 'home',
    url: simulator.url,
    tokenId: simulator.tokenId,
    trust: { kind: 'fingerprint', sha256: simulator.tls.fingerprint },
    defaults: {},
  };
  await addTarget({ host, home: at.home }, target, simulator.secret, { replace: false });
  let exported = 0;
  const undo = stack.move();
  const sink = (event: Event): void => void (event.type === 'message' && messages.push(event.text));
  const lab: PublishLab = {
    at,
    simulator,
    target,
    messages,
    ssh,
    exports: () => exported,
    agrees: true,
    context: (signal = new AbortController().signal) => ({
      host,
      home: at.home,
      events: new Events('test', sink, host),
      signal,
      consent: () => Promise.resolve(lab.agrees),
    }),
    async open({ transport = (real: Transport): Transport => real, signal } = {}) {
      return await openProxmox(lab.context(signal), target, targetSecret(target), (one) => transport(httpsTransport(one.url, one.trust)));
    },
    async image(name = 'web', content = 'first') {
      const image = await putSampleImage(at.store, at.home, name, ['latest', content], [`base of ${name}`, `${name} ${content}`]);
      await at.store.addGate(image, sampleGate('passed'));
      return await at.store.resolve(`${parseName(name, 'an image')}:${content}`);
    },
    async publish(image, change = {}, platform) {
      const asked = image.references[0] ?? image.digest;
      const published: PublishedImage = publishedImage(image, asked, 'proxmox:home', { unproven: false });
      await using opened = platform === undefined ? await lab.open() : undefined;
      const using = platform ?? opened;
      if (using === undefined) throw new Error('no platform');
      return await publish(lab.context(), {
        platform: using,
        target: 'proxmox:home',
        image: published,
        places: { nodes: [], allNodes: false },
        machine: {},
        size: { virtual: 2 ** 30, file: 2 ** 20 },
        exportDisk: async () => {
          exported += 1;
          return await sampleDisk(at, image);
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

/** Stands for the flat disk of an image: bytes that are its own. */
export async function sampleDisk(at: SampleHome, image: Image, format: ExportedDisk['format'] = 'qcow2'): Promise<ExportedDisk> {
  const bytes = Buffer.alloc(300_000, image.digest);
  await mkdir(at.home.exports, { recursive: true });
  const path = hostPath(join(at.home.exports, `${image.digest.slice(7)}.${format}`));
  await writeFile(path, bytes);
  return { path, format, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
