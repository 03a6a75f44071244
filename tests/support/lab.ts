import { Events, type Event } from '../../src/base/events.ts';
import type { Host } from '../../src/base/host.ts';
import { builtInSettings } from '../../src/base/settings.ts';
import type { Argv } from '../../src/base/process.ts';
import { parseName } from '../../src/base/types.ts';
import type { Image } from '../../src/store/model.ts';
import type { NewVm } from '../../src/platforms/local/create.ts';
import type { LabContext } from '../../src/platforms/local/view.ts';
import { sweepScratch } from '../../src/base/scratch.ts';
import { putSampleImage, sampleHome, type SampleHome } from './sample-images.ts';

export interface SampleLab extends AsyncDisposable {
  readonly home: SampleHome;
  readonly host: Host;
  /** What `debian-12` is in its store. */
  readonly image: Image;
  /** What was said, as text. */
  readonly messages: string[];
  /** Every program that was run. */
  readonly ran: Argv[];
  /** The context of an operation; with another host, of another process. */
  context(host?: Host): LabContext;
}

/** A home of its own with one image, whose ssh-keygen is pretended: it writes files that hold its name. */
export async function sampleLab(): Promise<SampleLab> {
  const home = await sampleHome();
  const image = await putSampleImage(home.store, home.home, 'debian-12', ['latest']);
  await sweepScratch(home.host, home.home);
  const [messages, ran]: [string[], Argv[]] = [[], []];
  const after = (argv: Argv, flag: string): string => argv[argv.indexOf(flag) + 1] ?? '';
  const host: Host = {
    ...home.host,
    processes: {
      ...home.host.processes,
      async run(argv) {
        ran.push(argv);
        if (argv[0] === 'ssh-keygen') {
          await home.host.files.write(after(argv, '-f'), 'a private key', { mode: 0o600 });
          await home.host.files.write(`${after(argv, '-f')}.pub`, 'ssh-ed25519 AAAA ingot\n');
        }
        return { stdout: '', stderr: '', exitCode: 0 };
      },
    },
  };
  const sink = (event: Event): void => void (event.type === 'message' && messages.push(event.text));
  return {
    home,
    host,
    image,
    messages,
    ran,
    context: (other = host) => ({
      host: other,
      home: home.home,
      settings: builtInSettings(home.home),
      events: new Events('test', sink, host),
      signal: new AbortController().signal,
    }),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

/** What a user asks for who asks for little; the VM is not started. */
export function newVm(name: string, more: Partial<NewVm> = {}): NewVm {
  return {
    name: parseName(name, 'a VM'),
    image: 'debian-12',
    cpus: 2,
    memory: 2 ** 30,
    disk: undefined,
    firmware: undefined,
    sshPort: undefined,
    userData: undefined,
    start: false,
    force: false,
    ...more,
  };
}
