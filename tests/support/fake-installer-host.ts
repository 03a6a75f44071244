import { fileURLToPath } from 'node:url';
import type { Host } from '../../src/base/host.ts';

const FAKE = fileURLToPath(new URL('fake-installer.ts', import.meta.url));
const QEMU = 'qemu-system-x86_64';
/** Seconds that pass with each look at the machine, so that nobody waits for a guest that is at rest. */
const LOOK_SECONDS = 5;

/** A host without KVM, with tools, on which QEMU is fake-installer.ts. */
export function withFakeInstaller(host: Host): Host {
  let passed = 0;
  const tools = new Set([`/usr/bin/${QEMU}`, '/usr/bin/ssh-keygen']);
  return {
    ...host,
    machine: { ...host.machine, arch: 'amd64', platform: 'linux' },
    clock: {
      ...host.clock,
      monotonic: () => performance.now() + passed,
      async sleep(seconds, signal) {
        if (seconds >= 1) passed += LOOK_SECONDS * 1000;
        await host.clock.sleep(Math.min(seconds, 0.01), signal);
      },
    },
    files: {
      ...host.files,
      async status(path) {
        if (path === '/dev/kvm') return undefined;
        return (await host.files.status(path)) ?? (tools.has(path) ? await host.files.status(process.execPath) : undefined);
      },
    },
    processes: {
      ...host.processes,
      spawn(argv, options) {
        const at = argv.indexOf(QEMU);
        const [first = '', ...rest] = at === -1 ? argv : [...argv.slice(0, at), process.execPath, FAKE, ...argv.slice(at + 1)];
        return host.processes.spawn([first, ...rest], options);
      },
    },
  };
}
