import { join } from 'node:path';
import * as z from 'zod';
import { readTextIfThere, replaceFile } from './files.ts';
import type { Home } from './home.ts';
import { randomId, type Host } from './host.ts';
import { isLocked, takeLock } from './lock.ts';

/** A machine that a build has registered somewhere, or is about to. */
const registrationSchema = z.object({
  v: z.literal(1),
  /** Its host name, by which it is found there. */
  machine: z.string(),
  /** Who registers it, as users call them. */
  vendor: z.string(),
  /** What it is called there, once that is known. */
  identity: z.string().optional(),
  /** How it is removed by hand, as a sentence without its beginning. */
  removal: z.string(),
  since: z.iso.datetime(),
});
export type RegistrationRecord = z.output<typeof registrationSchema>;

type Access = { readonly host: Host; readonly home: Home };

/** A registration that is under way; its file is written before the vendor is asked, so that one whose process was killed is known to the next start. */
export interface OpenRegistration extends AsyncDisposable {
  readonly record: RegistrationRecord;
  /** Writes down what the vendor calls the machine. */
  identified(identity: string): Promise<void>;
  /** Nothing of it is left at the vendor, or the user has been told. */
  forget(): Promise<void>;
}

/** Begins a registration under a lock that the kernel releases with the process; `registrations/<id>.json` stays until it is forgotten. */
export async function openRegistration({ host, home }: Access, about: Pick<RegistrationRecord, 'vendor' | 'removal'>): Promise<OpenRegistration> {
  const id = randomId(host.random);
  const path = home.registration(id);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => host.files.remove(join(home.locks, `${lockName(id)}.lock`)));
  const machine = `ingot-${id}`;
  stack.use(await takeLock(host, home, lockName(id), { what: `registering ${machine}` }));
  let record: RegistrationRecord = { v: 1, machine, ...about, since: host.clock.now().toISOString() };
  const write = async (): Promise<void> => {
    await host.files.makeDirectory(home.registrations, 0o700);
    await replaceFile(host.files, path, `${JSON.stringify(record, undefined, 2)}\n`, 0o600);
  };
  await write();
  const undo = stack.move();
  return {
    get record() {
      return record;
    },
    async identified(identity) {
      record = { ...record, identity };
      await write();
    },
    async forget() {
      await host.files.remove(path);
      await host.files.sync(home.registrations);
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

/** What is left at a vendor, and how to remove it, as sentences. */
export function leftAtVendor({ machine, vendor, identity, removal }: RegistrationRecord): { readonly message: string; readonly hint: string } {
  const called = identity === undefined ? machine : `${machine} (${identity})`;
  return { message: `the system ${called} may still be registered at ${vendor}`, hint: `Remove it ${removal}.` };
}

/** Registrations whose builds were killed, each once: they are forgotten when `tell` has returned. What cannot be read is left alone. */
export async function tellLostRegistrations({ host, home }: Access, tell: (record: RegistrationRecord) => void): Promise<void> {
  for (const name of await host.files.list(home.registrations)) {
    const id = /^([0-9a-f]+)\.json$/.exec(name)?.[1];
    if (id === undefined || isLocked(home, lockName(id))) continue;
    const text = await readTextIfThere(host.files, home.registration(id));
    if (text === undefined) continue;
    const parsed = registrationSchema.safeParse(jsonOf(text));
    if (!parsed.success) continue;
    tell(parsed.data);
    await host.files.remove(home.registration(id));
    for (const ending of ['.lock', '.lock.owner']) await host.files.remove(join(home.locks, `${lockName(id)}${ending}`));
  }
}

function lockName(id: string): string {
  return `registration-${id}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
